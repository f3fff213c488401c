package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

func partitionCommand(s *session) *cobra.Command {
	return noun("partition", "Rescue what is left of a partition", partitionRecoverCommand(s))
}

// recoverFlags are what the command line of partition recover says.
type recoverFlags struct {
	from             string
	acceptLoss, wait bool
}

func partitionRecoverCommand(s *session) *cobra.Command {
	var flags recoverFlags
	command := &cobra.Command{
		Use:   "recover TOPIC/N --accept-loss",
		Short: "Go on with what one replica has, after the others are lost for ever",
		Long: `For a partition that has no leader because a majority of its replicas is lost for ever: their brokers are destroyed, or their
logs. It goes on with all that one replica has, and grows to its wanted replicas again. What only the lost ones had is lost: the
offsets of that are left out, in a gap that readers are told of, and given to nothing else. ` + "`troupe topic describe`" + ` shows it ever after.

It is refused while the brokers that are there can elect a leader, or have more of the partition than the survivor. Nobody can
ask those that are not there, so make sure that they are lost and not only cut off: what they took meanwhile is lost as
well, and the replicas that were given up are removed when their brokers come back. Brokers that never will keep the partition from
growing where they are counted on: let them go with ` + "`troupe cluster decommission`" + `.`,
		Example: `  troupe partition recover orders/3 --accept-loss
  troupe partition recover orders/3 --accept-loss --from 9a0b --wait`,
		Args: func(c *cobra.Command, arguments []string) error {
			if len(arguments) != 1 {
				return fmt.Errorf("`%s` wants one partition, TOPIC/N, not %d words", c.UseLine(), len(arguments))
			}
			return nil
		},
		RunE: func(c *cobra.Command, arguments []string) error {
			topic, number, err := parsePartition(arguments[0])
			if err != nil {
				return err
			}
			if !flags.acceptLoss {
				return usagef("what only the lost replicas of %s had is lost for ever by this; --accept-loss says that it may be", arguments[0])
			}
			request := &protocol.RecoverPartitionRequest{Topic: topic, Partition: number, AcceptLoss: true}
			if flags.from == "" {
				return s.with(c.Context(), func(broker *client.Client) error {
					return s.recover(c.Context(), broker, request, flags.wait)
				})
			}
			return s.withNode(c.Context(), flags.from, func(broker *client.Client, node id.Node) error {
				request.From = node
				return s.recover(c.Context(), broker, request, flags.wait)
			})
		},
	}
	f := command.Flags()
	f.BoolVar(&flags.acceptLoss, "accept-loss", false, "give up what only the lost replicas had")
	f.StringVar(&flags.from, "from", "", "the broker whose replica to go on with; otherwise the one that has most")
	f.BoolVar(&flags.wait, "wait", false, "return when the partition serves again")
	return command
}

// recover has a partition go on with what one replica has.
func (s *session) recover(ctx context.Context, broker *client.Client, request *protocol.RecoverPartitionRequest, wait bool) error {
	done, err := broker.RecoverPartition(ctx, request)
	if err != nil {
		return err
	}
	if wait {
		if err := s.revival(ctx, broker, request.Topic, request.Partition, done.Assigned); err != nil {
			return err
		}
	}
	if s.output == "json" {
		return s.json(map[string]any{
			"topic": request.Topic, "partition": request.Partition, "recovery": jsonRecoveryOf(done), "settled": wait,
		})
	}
	state := fmt.Sprintf("; `troupe cluster partitions %s` tells how far it is", request.Topic)
	if wait {
		state = "; it serves again"
	}
	_, err = fmt.Fprintf(s.out, "%s/%d %s%s\n", request.Topic, request.Partition, recoveryText(done), state)
	return err
}

// revival waits until a recovered partition serves. It may have been assigned to more brokers by then: only a leader lets it be.
func (s *session) revival(ctx context.Context, broker *client.Client, topic string, number int32, version id.Offset) error {
	ticker := time.NewTicker(arrivalInterval)
	defer ticker.Stop()
	for {
		p, err := describePartition(ctx, broker, topic, number)
		if err != nil {
			return err
		}
		if p.Ready && (p.Assigned == version && p.Settled || p.Assigned > version) {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// recoveryText says what was done.
func recoveryText(r *protocol.Recovery) string {
	var given []string
	for i, replica := range r.GivenUp {
		word := fmt.Sprintf("%d", uint64(replica))
		if i < len(r.Nodes) {
			word += " on broker " + r.Nodes[i].String()
		}
		given = append(given, word)
	}
	return fmt.Sprintf("goes on with what broker %v had (replica %d, now %d); given up: %s", r.Node, uint64(r.Survivor), uint64(r.Heir),
		strings.Join(given, ", "))
}

// recoveriesOf tells, a line for each, which partitions of a topic lost their majority.
func recoveriesOf(topic *protocol.DescribeTopicResponse) (lines []string) {
	for i := range topic.Partitions {
		p := &topic.Partitions[i]
		for k := range p.Recoveries {
			r := &p.Recoveries[k]
			lines = append(lines, fmt.Sprintf("%s/%d lost its majority: since %s it %s", topic.Topic, p.Partition,
				timeText(r.At), recoveryText(r)))
		}
	}
	return lines
}

// jsonRecovery is a recovery as --output json tells it.
type jsonRecovery struct {
	At       string          `json:"at"`
	Node     string          `json:"node"`
	Survivor uint64          `json:"survivor"`
	Heir     uint64          `json:"heir"`
	Assigned int64           `json:"assigned"`
	GivenUp  []jsonForfeited `json:"given_up"`
}

// jsonForfeited is a replica that was given up.
type jsonForfeited struct {
	Replica uint64 `json:"replica"`
	Node    string `json:"node"`
}

func jsonRecoveryOf(r *protocol.Recovery) jsonRecovery {
	j := jsonRecovery{
		At: timeText(r.At), Node: r.Node.String(), Survivor: uint64(r.Survivor), Heir: uint64(r.Heir),
		Assigned: int64(r.Assigned), GivenUp: []jsonForfeited{},
	}
	for i, replica := range r.GivenUp {
		lost := jsonForfeited{Replica: uint64(replica)}
		if i < len(r.Nodes) {
			lost.Node = r.Nodes[i].String()
		}
		j.GivenUp = append(j.GivenUp, lost)
	}
	return j
}
