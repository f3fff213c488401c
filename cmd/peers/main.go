package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"troupe/cmd/troupe/bench"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := compare(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// report is what is kept beside the raw results.
type report struct {
	Environment bench.Environment `json:"environment"`
	Rate        float64           `json:"rate_of_latencies_per_second"`
	Outcomes    []outcome         `json:"outcomes"`
}

// compare measures every system and prints the table.
func compare(ctx context.Context, arguments []string, out io.Writer) error {
	flags := flag.NewFlagSet("peers", flag.ContinueOnError)
	troupe := flags.String("troupe", "bin/troupe", "the binary of Troupe")
	nats := flags.String("nats-server", "bin/nats-server", "the binary of nats-server")
	cache := flags.String("cache", "bin", "where Kafka's jars are kept")
	results := flags.String("out", "", "directory for raw results and logs (default: a new one for temporary files)")
	seconds := flags.Float64("seconds", 8, "length of each run")
	rate := flags.Float64("rate", 20_000, "records a second at which latencies are measured")
	only := flags.String("only", "", "measure only systems whose name contains this, beside Troupe")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	directory, err := prepare(*results)
	if err != nil {
		return err
	}
	r := report{Environment: bench.Observe(directory), Rate: *rate}
	if r.Environment.Fsync, err = bench.ProbeFsync(directory); err != nil {
		return err
	}
	e := r.Environment
	fmt.Fprintf(out, "%s, %d cores, kernel %s, %s on %s, fsync median %.3f ms, load average %.1f\n"+
		"100 random bytes a record, 6 partitions, batches of 256 KiB, linger 5 ms, acks of all, server and client on loopback\n\n",
		e.CPU, e.Cores, e.Kernel, directory, e.Filesystem, e.Fsync.MedianMS, e.LoadAverage)
	for _, s := range []system{
		&ours{*troupe}, &jetStream{*nats, true}, &jetStream{*nats, false}, &kafka{*cache, true}, &kafka{*cache, false},
	} {
		if _, is := s.(*ours); !is && !strings.Contains(s.name(), *only) {
			continue
		}
		p := plan{directory: filepath.Join(directory, s.name()), duration: time.Duration(*seconds * float64(time.Second)), partitions: 6,
			bytes: 100, rate: *rate}
		fmt.Fprintf(out, "measuring %s\n", s.name())
		got, err := measure(ctx, s, p)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			got.Problem = err.Error()
		}
		r.Outcomes = append(r.Outcomes, got)
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	fmt.Fprintln(out)
	return errors.Join(os.WriteFile(filepath.Join(directory, "peers.json"), text, 0o644), writeTable(out, r.Outcomes, *rate),
		tell(out, directory))
}

// tell says what the figures mean.
func tell(out io.Writer, directory string) error {
	_, err := fmt.Fprintf(out, "\nProduced and consumed: as fast as possible. Latencies: from the time due to the acknowledgement; Kafka's tool counts from the\n"+
		"call of send, in whole milliseconds, and its rates leave out the first five seconds, in which the JVM warms up. Consumed: what was\n"+
		"just written. Raw results: %s\n", directory)
	return err
}

// measure runs one system in a directory of its own and throws its data away, which may be large, but not its results.
func measure(ctx context.Context, s system, p plan) (outcome, error) {
	if err := os.MkdirAll(p.directory, 0o755); err != nil {
		return outcome{}, err
	}
	got, err := s.measure(ctx, p)
	return got, errors.Join(err, os.RemoveAll(filepath.Join(p.directory, "data")), os.RemoveAll(filepath.Join(p.directory, "jetstream")))
}

// prepare makes the directory of the results.
func prepare(wanted string) (string, error) {
	if wanted == "" {
		return os.MkdirTemp("", "troupe-peers-")
	}
	absolute, err := filepath.Abs(wanted)
	if err != nil {
		return "", err
	}
	return absolute, os.MkdirAll(absolute, 0o755)
}
