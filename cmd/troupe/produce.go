package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// produceFlags are what the command line of produce says.
type produceFlags struct {
	keyDelimiter, keyRegex string
	headers                []string
	compression, acks      string
	partition              int32
	expectEnd              int64
}

func produceCommand(s *session) *cobra.Command {
	var flags produceFlags
	command := &cobra.Command{
		Use:   "produce TOPIC [FILE...]",
		Short: "Write lines to a topic, a record a line",
		Long: `Writes the lines of files, or of standard input, to a topic: a record a line. Records of one key go to one partition and
stay in order. A summary goes to standard error; the exit code is 0 only if every record was acknowledged.`,
		Example: `  echo "a first record" | troupe produce hello
  troupe produce hello --key-delimiter : pairs.txt
  troupe produce access-log --key-regex '^\S+' --compression zstd access.log
  echo "if nobody was faster" | troupe produce hello --partition 0 --expect-end 7`,
		ValidArgsFunction: s.topicNames,
		Args: func(c *cobra.Command, arguments []string) error {
			return oneTopic(c, arguments[:min(1, len(arguments))])
		},
		RunE: func(c *cobra.Command, arguments []string) error {
			return s.produce(c.Context(), arguments[0], arguments[1:], flags)
		},
	}
	f := command.Flags()
	f.StringVar(&flags.keyDelimiter, "key-delimiter", "", "the key is what stands before this text, the value what stands behind")
	f.StringVar(&flags.keyRegex, "key-regex", "", "the key is the first group of this pattern, or all of it; the value is the line")
	f.StringArrayVarP(&flags.headers, "header", "H", nil, "a header key:value for every record; may be given several times")
	f.StringVar(&flags.compression, "compression", "none", "none, gzip, snappy, lz4 or zstd")
	f.StringVar(&flags.acks, "acks", "quorum", "when a record counts as written: quorum, leader or none")
	f.Int32Var(&flags.partition, "partition", -1, "write to this partition, whatever the key")
	f.Int64Var(&flags.expectEnd, "expect-end", -1, "write all lines as one batch, and only if the partition ends at this offset; needs --partition")
	return command
}

// produce writes every line and waits for every answer.
func (s *session) produce(ctx context.Context, topic string, files []string, flags produceFlags) error {
	keys, err := parseKeyRule(flags.keyDelimiter, flags.keyRegex)
	if err != nil {
		return err
	}
	headers, err := parseHeaders(flags.headers)
	if err != nil {
		return err
	}
	options, err := producerOptions(flags)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		files = []string{"-"}
	}
	if flags.expectEnd >= 0 && flags.partition < 0 {
		return usagef("--expect-end is about one partition; name it with --partition")
	}
	if flags.expectEnd >= 0 && flags.acks != "quorum" {
		return usagef("--expect-end is always acknowledged by the quorum; leave --acks out")
	}
	waiting := &trouble{out: s.problems, broker: s.broker, now: time.Now}
	return s.with(ctx, func(broker *client.Client) error {
		p := &production{progress: newProgress(s.problems), trouble: waiting}
		lines := &input{files: files, in: s.in, keys: keys}
		if flags.expectEnd >= 0 {
			return p.sendExpected(ctx, s, broker, topic, lines, headers, flags)
		}
		ended := make(chan error, 1)
		go func() {
			ended <- lines.each(func(key, value []byte) error {
				record := &client.Record{Topic: topic, Key: key, Value: value, Headers: headers}
				if flags.partition >= 0 {
					record.ToPartition(flags.partition)
				}
				return p.send(ctx, broker, record, keys)
			})
		}()
		// Reading a terminal cannot be interrupted: an interrupt leaves the reader behind, and what it has read is finished.
		select {
		case err = <-ended:
		case <-ctx.Done():
			err = ctx.Err()
			p.stop()
		}
		return p.end(ctx, s, broker, topic, err)
	}, append(options, client.WithTrouble(waiting.note))...)
}

func producerOptions(flags produceFlags) ([]client.Option, error) {
	codec, err := batch.ParseCodec(flags.compression)
	if err != nil {
		return nil, usagef("--compression is %q; it can be none, gzip, snappy, lz4 or zstd", flags.compression)
	}
	acks := map[string]protocol.Acks{"none": protocol.AcksNone, "leader": protocol.AcksLeader, "quorum": protocol.AcksQuorum}
	chosen, ok := acks[flags.acks]
	if !ok {
		return nil, usagef("--acks is %q; it can be quorum, leader or none", flags.acks)
	}
	return []client.Option{client.WithCompression(codec), client.WithAcks(chosen), client.WithDeliveryTimeout(deliveryTime),
		client.WithBufferBytes(bufferBytes)}, nil
}

// What a person at a terminal has patience for: less than a service. The buffer is small, so that a slow broker slows the
// reading of lines down before records grow too old in it.
const (
	deliveryTime = time.Minute
	flushTime    = deliveryTime + 5*time.Second
	bufferBytes  = 8 << 20
)

// production is one run of produce.
type production struct {
	progress *progress
	trouble  *trouble

	mu      sync.Mutex
	keyless int64 // although a rule for keys was given
	stopped bool  // nothing more is handed to it
	failed  int64
	first   error // of those that failed
	unknown int64 // sent, and nobody knows whether they were written
	doubt   error // about the first of those
}

// stop has send refuse what is still being read.
func (p *production) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
}

// send hands one record to the client. It returns an error once one has failed: there is no use in sending the rest.
func (p *production) send(ctx context.Context, broker *client.Client, record *client.Record, keys keyRule) error {
	p.mu.Lock()
	err := cmp.Or(p.first, p.doubt)
	if p.stopped {
		err = context.Canceled
	}
	if record.Key == nil && keys.given() {
		p.keyless++
	}
	p.mu.Unlock()
	if err != nil {
		return err
	}
	size := int64(len(record.Key) + len(record.Value))
	return broker.Produce(ctx, record, func(_ *client.Record, err error) {
		if err == nil {
			p.progress.add(1, size)
			p.trouble.over()
			return
		}
		p.note(err)
	})
}

// note counts a record that was not acknowledged.
func (p *production) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if errors.Is(err, client.ErrOutcomeUnknown) {
		p.unknown++
		p.doubt = cmp.Or(p.doubt, err)
		return
	}
	p.failed++
	p.first = cmp.Or(p.first, err)
}

// mostExpected bounds what --expect-end reads: more is no batch for any topic.
const mostExpected = 16 << 20

// sendExpected writes all lines as one batch where the partition is expected to end.
func (p *production) sendExpected(ctx context.Context, s *session, broker *client.Client, topic string, lines *input, headers []client.Header, flags produceFlags) error {
	var records []*client.Record
	size := 0
	err := lines.each(func(key, value []byte) error {
		if size += len(key) + len(value); size > mostExpected {
			return fmt.Errorf("the lines have more than %d bytes; with --expect-end they are one batch, so write fewer at a time", mostExpected)
		}
		records = append(records, &client.Record{Topic: topic, Key: bytes.Clone(key), Value: bytes.Clone(value), Headers: headers})
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	if len(records) > 0 {
		if err := broker.ProduceExpect(ctx, topic, flags.partition, id.Offset(flags.expectEnd), records...); err != nil {
			return err
		}
		p.progress.add(int64(len(records)), int64(size))
	}
	return p.end(ctx, s, broker, topic, nil)
}

// flush waits for all answers; once it is interrupted, or was before, only for as long as a person has patience.
func (p *production) flush(ctx context.Context, s *session, broker *client.Client) error {
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		hurry := time.AfterFunc(patience, cancel)
		context.AfterFunc(wait, func() { hurry.Stop() })
	})()
	if ctx.Err() != nil {
		fmt.Fprintf(s.problems, "interrupted; waiting up to %v for the last answers, another interrupt ends it at once\n", patience)
	}
	return broker.Flush(wait)
}

// end waits for all answers and prints the summary. stopped tells why not every line was sent, if so.
func (p *production) end(ctx context.Context, s *session, broker *client.Client, topic string, stopped error) error {
	if err := p.flush(ctx, s, broker); err != nil {
		broker.Close() // by then every record was told what became of it
		stopped = cmp.Or(stopped, err)
	}
	done := p.progress.finish()
	p.mu.Lock()
	defer p.mu.Unlock()
	records, written := p.progress.counted()
	if s.output == "json" {
		if err := s.json(map[string]any{"topic": topic, "acknowledged": records, "bytes": written,
			"failed": p.failed, "unanswered": p.unknown, "without_key": p.keyless, "seconds": time.Since(p.progress.began).Seconds()}); err != nil {
			return err
		}
	} else {
		if records > 0 || p.failed+p.unknown == 0 && stopped == nil {
			fmt.Fprintf(s.problems, "wrote %s\n", done)
		}
		if p.keyless > 0 {
			fmt.Fprintf(s.problems, "%s had no key\n", plural(p.keyless, "line"))
		}
	}
	return p.verdict(stopped)
}

// verdict is what to tell about records that were not acknowledged. The lock is held.
func (p *production) verdict(stopped error) error {
	switch {
	case p.unknown > 0 && p.failed > 0:
		return fmt.Errorf("of %s nobody knows whether they were written, %s certainly not: %s", plural(p.unknown, "record"),
			plural(p.failed, "record"), oneLine(p.doubt))
	case p.unknown > 0:
		return fmt.Errorf("of %s nobody knows whether they were written: %s", plural(p.unknown, "record"), oneLine(p.doubt))
	case errors.Is(p.first, client.ErrClosed):
		return fmt.Errorf("%s not written: the command was ended before a broker took them", plural(p.failed, "record"))
	case p.failed > 0:
		return fmt.Errorf("%s not written: %w", plural(p.failed, "record"), p.first)
	}
	return stopped
}
