package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"troupe/cmd/troupe/bench"
	"troupe/gateway/client"
)

// fillFlags are what the benches have in common that fill a broker of their own.
type fillFlags struct {
	size, in   string
	partitions int32
}

// add defines the flags.
func (flags *fillFlags) add(command *cobra.Command, size string, partitions int32) {
	f := command.Flags()
	f.StringVar(&flags.size, "bytes", size, "what to write in all before anything is measured")
	f.Int32Var(&flags.partitions, "partitions", partitions, "partitions to spread it over")
	f.StringVar(&flags.in, "in", "", "where to make a temporary directory for the data (default: the one for temporary files)")
}

// ownBroker is a broker process on a temporary directory, with a topic of a bench in it.
type ownBroker struct {
	*localBroker
	cluster    *localCluster
	directory  string
	partitions int32
	written    int64 // records acknowledged
}

const (
	fillTopic       = "bench"
	fillRecordBytes = 1000
	mostFill        = 1 << 40
)

// fill starts a broker and writes to it what the flags ask for. Whoever gets one removes it.
func (s *session) fill(ctx context.Context, flags fillFlags) (own *ownBroker, err error) {
	bytes, err := parseSize("--bytes", flags.size, mostFill)
	if err != nil {
		return nil, err
	}
	if flags.partitions < 1 || bytes < fillRecordBytes {
		return nil, usagef("--bytes %s in --partitions %d; there must be a partition, and a record of %d bytes", flags.size,
			flags.partitions, fillRecordBytes)
	}
	directory, err := os.MkdirTemp(flags.in, "troupe-bench-")
	if err != nil {
		return nil, fmt.Errorf("%w; name another place with --in", err)
	}
	own = &ownBroker{directory: directory, partitions: flags.partitions}
	defer func() {
		if err != nil {
			err = errors.Join(err, own.remove())
		}
	}()
	if own.cluster, err = newLocalCluster(directory, 1, 0); err != nil {
		return nil, err
	}
	own.localBroker = own.cluster.brokers[0]
	if err := own.cluster.start(ctx); err != nil {
		return nil, err
	}
	fmt.Fprintf(s.problems, "writing %s to %s in %s\n", bytesText(bytes), plural(int64(flags.partitions), "partition"), directory)
	load := own.load()
	load.Records = bytes / fillRecordBytes
	return own, own.write(ctx, load)
}

// load writes as fast as possible to the topic, which stays.
func (own *ownBroker) load() bench.Load {
	load := bench.DefaultLoad()
	load.Broker, load.Topic, load.Partitions, load.Keep = own.gateway, fillTopic, own.partitions, true
	load.RecordBytes, load.Warmup = fillRecordBytes, 0
	return load
}

func (own *ownBroker) write(ctx context.Context, load bench.Load) error {
	result, err := bench.Produce(ctx, load)
	if err != nil {
		return err
	}
	own.written += result.Records
	if result.Errors > 0 {
		return fmt.Errorf("%s could not be written; the first: %s", plural(result.Errors, "record"), result.FirstError)
	}
	return nil
}

// serves waits until every partition takes writes, and makes sure that all that was acknowledged is there. It takes what is there
// besides for written, too: records that were under way when a broker died.
func (own *ownBroker) serves(ctx context.Context) error {
	var there int64
	err := own.cluster.await(ctx, func(broker *client.Client) (bool, error) {
		topic, err := broker.DescribeTopic(ctx, fillTopic)
		if err != nil {
			return false, err
		}
		there = 0
		for i := range topic.Partitions {
			p := &topic.Partitions[i]
			if !p.Ready || p.Role != "leader" {
				return false, nil
			}
			there += int64(p.HighWatermark - p.LogStart)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	if there < own.written {
		return fmt.Errorf("%d of %d acknowledged records are there; this is a loss: keep %s and report it", there, own.written, own.directory)
	}
	own.written = there
	return nil
}

// remove ends the broker and deletes its data.
func (own *ownBroker) remove() error {
	if own.cluster != nil {
		own.cluster.kill()
	}
	return os.RemoveAll(own.directory)
}
