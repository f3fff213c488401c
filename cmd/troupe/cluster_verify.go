package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

func clusterVerifyCommand(s *session) *cobra.Command {
	var rate string
	command := &cobra.Command{
		Use:   "verify [TOPIC[/N]...]",
		Short: "Compare the replicas of partitions with each other",
		Long: `Has the brokers sum up what they have of each partition, of some topics or of all of them and of the broker's own, and holds
the sums together: from where all replicas begin to what all of them had when it began. Every checksum is verified on the way.
Nothing is changed, records may be written meanwhile, and each broker reads at most --rate; Ctrl-C ends it at once.

A replica differs where most others have something else; where there is no majority all of them do, and it cannot be told who is
right. To have one made anew from the others: ` + "`troupe cluster assign TOPIC/N --nodes ... --replace REPLICA`" + `, with the id that
--output json tells.

Exits 10 if anything differs or could not be compared.`,
		Example: `  troupe cluster verify
  troupe cluster verify orders events/3 --rate 4MiB
  troupe cluster verify --output json`,
		ValidArgsFunction: s.topicNames,
		RunE: func(c *cobra.Command, names []string) error {
			bytes, err := humanize.ParseBytes(rate)
			if err != nil || bytes == 0 {
				return usagef("--rate %q is no number of bytes a second; write it as 16MiB", rate)
			}
			return s.with(c.Context(), func(broker *client.Client) error {
				all, err := partitionsNamed(c.Context(), broker, names)
				if err != nil {
					return err
				}
				return s.verify(c.Context(), broker, all, float64(bytes))
			})
		},
	}
	command.Flags().StringVar(&rate, "rate", "16MiB", "bytes that each broker reads in a second")
	return command
}

// partitionName is one partition of a topic.
type partitionName struct {
	topic  string
	number int32
}

// partitionsNamed lists the partitions of topics and those given as TOPIC/N; none named: all, the broker's own first.
func partitionsNamed(ctx context.Context, broker *client.Client, names []string) ([]partitionName, error) {
	var all []partitionName
	var topics []string
	for _, name := range names {
		if strings.Contains(name, "/") {
			topic, number, err := parsePartition(name)
			if err != nil {
				return nil, err
			}
			all = append(all, partitionName{topic, number})
			continue
		}
		topics = append(topics, name)
	}
	if len(topics) == 0 && len(names) > 0 {
		return all, nil
	}
	described, err := describeAll(ctx, broker, topics)
	if err != nil {
		return nil, err
	}
	for _, t := range described {
		for n := range t.Partitions {
			all = append(all, partitionName{t.Topic, int32(n)})
		}
	}
	return all, nil
}

// verified is what was found of one partition.
type verified struct {
	Topic         string            `json:"topic"`
	Partition     int32             `json:"partition"`
	Result        string            `json:"result"` // equal, single, differs, uncompared
	LogStart      id.Offset         `json:"log_start"`
	HighWatermark id.Offset         `json:"high_watermark"`
	Bytes         int64             `json:"bytes"` // that each replica has read
	Replicas      []verifiedReplica `json:"replicas"`
}

type verifiedReplica struct {
	Node    string     `json:"node"`
	Replica id.Replica `json:"replica"`
	Verdict string     `json:"verdict"` // equal, differs, uncompared
	Index   id.Index   `json:"index,omitempty"`
	Offset  id.Offset  `json:"offset"` // of the first batch that differs; -1: none
	Reason  string     `json:"reason,omitempty"`
}

// differingError tells that replicas are not the same, or were not compared.
type differingError struct{ bad, all int }

// Error counts the partitions: the table itself shows them.
func (e *differingError) Error() string {
	return fmt.Sprintf("of %s %d differ or could not be compared", plural(int64(e.all), "partition"), e.bad)
}

// verify compares the replicas of partitions, one after the other, and shows what was found.
func (s *session) verify(ctx context.Context, broker *client.Client, names []partitionName, rate float64) error {
	p, all, bad := newProgress(s.problems), []verified{}, 0
	for _, name := range names {
		v, err := verifyPartition(ctx, broker, name, rate, p)
		if err != nil {
			p.finish()
			return err
		}
		if all = append(all, v); !v.fine() {
			bad++
		}
	}
	summary := p.finish()
	if err := s.showVerified(all, summary); err != nil {
		return err
	}
	if bad > 0 {
		return &differingError{bad, len(all)}
	}
	return nil
}

// verifyPartition compares piece after piece, until the end that the first one told, or until something is wrong.
func verifyPartition(ctx context.Context, broker *client.Client, name partitionName, rate float64, p *progress) (verified, error) {
	v := verified{Topic: name.topic, Partition: name.number}
	counted := id.Offset(0)
	for from, end := id.Index(0), id.Index(0); ; {
		began := time.Now()
		piece, err := broker.CompareReplicas(ctx, name.topic, name.number, from, end)
		if err != nil {
			return v, err
		}
		if v.take(piece, end == 0); end == 0 {
			counted = v.LogStart
		}
		reached := max(counted, piece.Offset)
		done := !v.fine() || piece.Through >= piece.End
		if v.Result == "equal" && done {
			reached = v.HighWatermark
		}
		p.add(int64(reached-counted), piece.Bytes)
		counted = reached
		if done {
			return v, nil
		}
		from, end = piece.Through+1, piece.End
		pause := time.Duration(float64(piece.Bytes)/rate*float64(time.Second)) - time.Since(began)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return v, ctx.Err()
		}
	}
}

// take adds what a piece has shown. The bounds are those of the first one.
func (v *verified) take(piece *protocol.CompareReplicasResponse, first bool) {
	if first {
		v.LogStart, v.HighWatermark = piece.LogStart, piece.HighWatermark
	}
	v.Bytes += piece.Bytes
	v.Result, v.Replicas = "equal", []verifiedReplica{}
	for _, r := range piece.Replicas {
		v.Replicas = append(v.Replicas, verifiedReplica{r.Node.String(), r.Replica, r.Verdict, r.Index, r.Offset, r.Reason})
		if r.Verdict == "differs" || r.Verdict == "uncompared" && v.Result == "equal" {
			v.Result = r.Verdict
		}
	}
	if len(v.Replicas) == 1 && v.Result == "uncompared" {
		v.Result = "single"
	}
}

// fine tells that nothing is wrong: a replica that is the only one has nothing to differ from.
func (v *verified) fine() bool { return v.Result == "equal" || v.Result == "single" }

// finding says in words what was found.
func (v *verified) finding() string {
	if v.Result == "single" {
		return "one replica, nothing to compare"
	}
	if v.Result == "equal" {
		return "equal"
	}
	var words []string
	for _, r := range v.Replicas {
		switch {
		case r.Verdict == "differs" && r.Offset < 0:
			words = append(words, fmt.Sprintf("differs at entry %d on broker %s", r.Index, r.Node))
		case r.Verdict == "differs":
			words = append(words, fmt.Sprintf("differs at offset %d on broker %s", r.Offset, r.Node))
		case r.Verdict == "uncompared":
			words = append(words, fmt.Sprintf("broker %s not compared: %s", r.Node, r.Reason))
		}
	}
	return strings.Join(words, "; ")
}

// compared counts the replicas that were held together.
func (v *verified) compared() (n int) {
	for _, r := range v.Replicas {
		if r.Verdict != "uncompared" {
			n++
		}
	}
	return n
}

func (s *session) showVerified(all []verified, summary string) error {
	if s.output == "json" {
		return s.json(all)
	}
	var rows [][]string
	for i := range all {
		v := &all[i]
		rows = append(rows, []string{v.Topic, fmt.Sprint(v.Partition), fmt.Sprintf("%d of %d", v.compared(), len(v.Replicas)),
			fmt.Sprintf("%d to %d", v.LogStart, v.HighWatermark), v.finding()})
	}
	if err := s.table([]string{"TOPIC", "PARTITION", "COMPARED", "OFFSETS", "RESULT"}, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.problems, "compared %s\n", summary)
	return err
}
