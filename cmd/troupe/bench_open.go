package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func benchOpenCommand(s *session) *cobra.Command {
	var flags fillFlags
	var rounds int
	command := &cobra.Command{
		Use:   "open",
		Short: "Measure how long a broker takes to start on data that it has",
		Long: `Starts a broker of its own on this machine, in a temporary directory, and fills a topic. Then it stops the broker in order, with
SIGTERM, and measures the time from its next start until every partition takes writes; and after that it writes again, kills the
broker in the midst of it with SIGKILL, and measures the same. Everything acknowledged must be there each time.

The system has most of the data in its memory. After a machine's own start the ends of the logs are read from the disk.`,
		Example: `  troupe bench open --in /var/lib
  troupe bench open --bytes 1GB --partitions 1000 --rounds 1 --output json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if rounds < 1 {
				return usagef("--rounds is %d; each stops and kills the broker once", rounds)
			}
			return s.benchOpen(c.Context(), flags, rounds)
		},
	}
	flags.add(command, "10GB", 100)
	command.Flags().IntVar(&rounds, "rounds", 3, "how often to stop and kill the broker")
	return command
}

// writeBeforeKill is how long the broker is written to before it is killed: long enough for every log to be in the midst of it.
const writeBeforeKill = 2 * time.Second

func (s *session) benchOpen(ctx context.Context, flags fillFlags, rounds int) (err error) {
	own, err := s.fill(ctx, flags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, own.remove()) }()
	var stops, kills []time.Duration
	for round := range rounds {
		if err := own.drain(); err != nil {
			return err
		}
		stopped, err := own.open(ctx)
		if err != nil {
			return err
		}
		own.killWriting(ctx)
		killed, err := own.open(ctx)
		if err != nil {
			return err
		}
		stops, kills = append(stops, stopped), append(kills, killed)
		fmt.Fprintf(s.problems, "%2d: opened %v after a stop, %v after a kill\n", round+1, stopped.Round(time.Millisecond), killed.Round(time.Millisecond))
	}
	if s.output == "json" {
		return s.json(map[string]any{"partitions": own.partitions, "records": own.written, "record_bytes": fillRecordBytes,
			"after_stop_ms": inMillis(stops), "after_kill_ms": inMillis(kills)})
	}
	fmt.Fprintf(s.out, "from start to serving, %s of %d bytes in %s\n", plural(own.written, "record"), fillRecordBytes,
		plural(int64(own.partitions), "partition"))
	return errors.Join(s.tellWaits("after an orderly stop", stops), s.tellWaits("after a kill (SIGKILL)", kills))
}

// open starts the broker again and returns how long that took.
func (own *ownBroker) open(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	if err := own.start(ctx); err != nil {
		return 0, err
	}
	err := own.serves(ctx)
	return time.Since(began), err
}

// killWriting kills the broker while it is written to.
func (own *ownBroker) killWriting(ctx context.Context) {
	writing, stop := context.WithTimeout(ctx, writeBeforeKill)
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		load := own.load()
		load.Duration = startTimeout // the context ends it before
		_ = own.write(writing, load)
	}()
	<-writing.Done()
	own.process.kill()
	<-ended
}
