package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"troupe/cmd/troupe/bench"
	"troupe/partitions/batch"
)

// benchFlags are what the command lines of bench say, beside the load itself.
type benchFlags struct {
	load                                        bench.Load
	payload, batchBytes, fetchBytes, recordSize string
	data, fsyncDirectory                        string
	sweep, findRate                             bool
	p99                                         time.Duration
}

// sweepPartitions are the numbers of partitions that --sweep measures at.
var sweepPartitions = []int32{1, 4, 16, 64}

func benchCommand(s *session) *cobra.Command {
	return noun("bench", "Measure a broker: open loop, percentiles, the machine told", benchProduceCommand(s), benchConsumeCommand(s),
		benchEndToEndCommand(s), benchFailoverCommand(s), benchOpenCommand(s), benchIdleCommand(s))
}

func benchProduceCommand(s *session) *cobra.Command {
	flags := newBenchFlags()
	command := &cobra.Command{
		Use:   "produce",
		Short: "Measure writing: the rate, and the latency to the acknowledgement",
		Long: `Writes records at a rate, or as fast as possible, and measures from the time each was due to its acknowledgement. A broker
that stalls shows the stall in every record that was due meanwhile. Without --rate the latencies are mostly the time that
records wait in the client's full buffer; name a rate to measure latency.`,
		Example: `  troupe bench produce --data ./troupe-data            # as fast as possible
  troupe bench produce --rate 200000 --duration 30s
  troupe bench produce --rate 1000 --linger 0           # the median, and how many fsyncs that is
  troupe bench produce --sweep                          # at 1, 4, 16 and 64 partitions
  troupe bench produce --find-rate --p99 15ms --duration 5s`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return s.bench(c.Context(), flags, func(ctx context.Context, r *bench.Report, tell func(*bench.Result)) error {
				return benchProduce(ctx, flags, r, tell)
			})
		},
	}
	flags.add(command)
	flags.addRate(command, 0)
	f := command.Flags()
	f.BoolVar(&flags.sweep, "sweep", false, "measure at 1, 4, 16 and 64 partitions, each in a topic of its own")
	f.BoolVar(&flags.findRate, "find-rate", false, "look for the highest rate whose p99 stays below --p99")
	f.DurationVar(&flags.p99, "p99", 15*time.Millisecond, "the bound of --find-rate")
	return command
}

// benchProduce does what the flags ask for.
func benchProduce(ctx context.Context, flags *benchFlags, r *bench.Report, tell func(*bench.Result)) error {
	switch {
	case flags.sweep && flags.findRate:
		return usagef("--sweep and --find-rate exclude each other")
	case flags.sweep && flags.load.Topic != "":
		return usagef("--sweep makes topics of its own; leave --topic out")
	case flags.sweep:
		return bench.Sweep(ctx, flags.load, sweepPartitions, tell)
	case flags.findRate:
		best, err := bench.FindRate(ctx, flags.load, flags.p99, tell)
		r.Found = &bench.Found{BoundMS: float64(flags.p99) / float64(time.Millisecond)}
		if best != nil {
			r.Found.Rate = best.Offered
		}
		return err
	}
	one, err := bench.Produce(ctx, flags.load)
	if err == nil {
		tell(one)
	}
	return err
}

func benchConsumeCommand(s *session) *cobra.Command {
	flags := newBenchFlags()
	command := &cobra.Command{
		Use:   "consume",
		Short: "Measure reading: the rate of several passes over a topic",
		Long: `Reads a topic from start to end, several times. A topic that is not there is filled first, with --records. To read from a
broker that has nothing in its memory: keep a topic (--keep), restart the broker, and name the topic.`,
		Example: `  troupe bench consume --records 5000000
  troupe bench consume --topic t --records 5000000 --passes 1 --keep; # restart the broker, then
  troupe bench consume --topic t --keep`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return s.bench(c.Context(), flags, func(ctx context.Context, _ *bench.Report, tell func(*bench.Result)) error {
				return bench.Consume(ctx, flags.load, tell)
			})
		},
	}
	flags.load.Records = 2_000_000
	flags.add(command)
	f := command.Flags()
	f.IntVar(&flags.load.Passes, "passes", flags.load.Passes, "how often to read everything")
	f.StringVar(&flags.fetchBytes, "fetch-bytes", "1MiB", "what is fetched ahead for each partition")
	return command
}

func benchEndToEndCommand(s *session) *cobra.Command {
	flags := newBenchFlags()
	command := &cobra.Command{
		Use:   "end-to-end",
		Short: "Measure writing and reading at once: the time from being due to being read",
		Example: `  troupe bench end-to-end --rate 10000
  troupe bench end-to-end --rate 1000 --linger 0 --duration 1m --output json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return s.bench(c.Context(), flags, func(ctx context.Context, _ *bench.Report, tell func(*bench.Result)) error {
				one, err := bench.EndToEnd(ctx, flags.load)
				if err == nil {
					tell(one)
				}
				return err
			})
		},
	}
	flags.add(command)
	flags.addRate(command, 10_000)
	return command
}

func newBenchFlags() *benchFlags { return &benchFlags{load: bench.DefaultLoad()} }

// add defines the flags that every kind of load has.
func (flags *benchFlags) add(command *cobra.Command) {
	l, f := &flags.load, command.Flags()
	f.StringVar(&l.Topic, "topic", "", "topic to use, made if it is not there (default: a new name)")
	f.Int32Var(&l.Partitions, "partitions", l.Partitions, "partitions of a topic that is made")
	f.Int64Var(&l.Records, "records", l.Records, "end after so many records, whatever --duration says")
	f.DurationVar(&l.Duration, "duration", l.Duration, "end after so long")
	f.StringVar(&flags.recordSize, "record-bytes", "100", "size of a value: 100, 1KiB")
	f.StringVar(&flags.payload, "payload", "random", "values: random, which nothing compresses, or zero")
	f.IntVar(&l.Keys, "keys", l.Keys, "distinct keys, used in turn; 0: none")
	f.IntVar(&l.Clients, "clients", l.Clients, "clients, each with connections of its own, that share the rate")
	f.StringVar(&flags.batchBytes, "batch-bytes", "256KiB", "size at which a batch waits no longer")
	f.DurationVar(&l.Linger, "linger", l.Linger, "how long a batch waits for more records")
	f.StringVar(&l.Compression, "compression", l.Compression, "none, gzip, snappy, lz4 or zstd")
	f.StringVar(&l.Acks, "acks", l.Acks, "when a record counts as written: quorum, leader or none")
	f.BoolVar(&l.Keep, "keep", false, "leave the topic there; otherwise one that was made is deleted")
	f.StringVar(&flags.data, "data", "", "the broker's data directory, if it is on this machine: its file system is told")
	f.StringVar(&flags.fsyncDirectory, "fsync-dir", "", "where to measure fsync (default: beside --data, or the directory for temporary files)")
}

// addRate defines the flags of loads that write at a rate.
func (flags *benchFlags) addRate(command *cobra.Command, rate float64) {
	command.Flags().Float64Var(&flags.load.Rate, "rate", rate, "records a second; 0: as fast as possible")
	command.Flags().DurationVar(&flags.load.Warmup, "warmup", flags.load.Warmup, "run at the same rate before, unmeasured")
}

// read understands the flags that are text.
func (flags *benchFlags) read(broker string) error {
	l := &flags.load
	l.Broker = broker
	for _, size := range []struct {
		name, text string
		into       *int
	}{
		{"--record-bytes", flags.recordSize, &l.RecordBytes}, {"--batch-bytes", flags.batchBytes, &l.BatchBytes},
		{"--fetch-bytes", flags.fetchBytes, &l.FetchBytes},
	} {
		if size.text == "" {
			continue // not a flag of this command
		}
		n, err := parseSize(size.name, size.text, 1<<30)
		if err != nil {
			return err
		}
		*size.into = int(n)
	}
	switch flags.payload {
	case "random", "zero":
		l.Random = flags.payload == "random"
	default:
		return usagef("--payload is %q; it can be random or zero", flags.payload)
	}
	if _, err := batch.ParseCodec(l.Compression); err != nil {
		return usagef("--compression: %v", err)
	}
	return nil
}

// parseSize reads the size that a flag says.
func parseSize(flag, text string, most int64) (int64, error) {
	n, err := humanize.ParseBytes(text)
	if err != nil || n > uint64(most) {
		return 0, usagef("%s %q is no size up to %s; write 100, 64KiB or 1MiB", flag, text, bytesText(most))
	}
	return int64(n), nil
}

// bench observes the machine, measures, and reports, even of what was measured before an error.
func (s *session) bench(ctx context.Context, flags *benchFlags,
	measure func(context.Context, *bench.Report, func(*bench.Result)) error) error {
	if err := flags.read(s.broker); err != nil {
		return err
	}
	if err := flags.load.Check(); err != nil {
		return usagef("%v", err)
	}
	r := &bench.Report{Version: version(), Environment: bench.Observe(flags.data), Load: flags.load}
	probe, err := bench.ProbeFsync(flags.probeDirectory())
	if err != nil {
		return fmt.Errorf("%w; name another directory with --fsync-dir", err)
	}
	r.Environment.Fsync = probe
	if s.output != "json" {
		r.WriteHead(s.out)
	}
	err = measure(ctx, r, func(one *bench.Result) {
		r.Results = append(r.Results, one)
		if isTerminal(s.problems) {
			fmt.Fprintf(s.problems, "%s at %s: %s records/s\n", one.Kind, plural(int64(one.Partitions), "partition"),
				humanize.Comma(int64(one.Achieved)))
		}
	})
	if len(r.Results) == 0 && err != nil {
		return err
	}
	r.Finish()
	if s.output == "json" {
		return errors.Join(err, s.json(r))
	}
	return errors.Join(err, r.WriteResults(s.out))
}

// probeDirectory is where fsync is measured: on the broker's disk if it is known, but not inside its data.
func (flags *benchFlags) probeDirectory() string {
	switch {
	case flags.fsyncDirectory != "":
		return flags.fsyncDirectory
	case flags.data != "":
		return filepath.Dir(filepath.Clean(flags.data))
	}
	return os.TempDir()
}
