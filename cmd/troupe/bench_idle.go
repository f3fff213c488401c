package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func benchIdleCommand(s *session) *cobra.Command {
	var flags fillFlags
	var rest, over time.Duration
	command := &cobra.Command{
		Use:   "idle",
		Short: "Measure what a broker with many partitions takes while nobody asks it for anything",
		Long: `Starts a broker of its own on this machine, in a temporary directory, fills a topic, leaves the broker alone for a while, and then
measures its memory, and its processor time over another while.`,
		Example: `  troupe bench idle
  troupe bench idle --bytes 100MB --partitions 100 --rest 10s --over 10s --output json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if rest < 0 || over <= 0 {
				return usagef("--rest %v and --over %v are times, and the second has a length", rest, over)
			}
			return s.benchIdle(c.Context(), flags, rest, over)
		},
	}
	flags.add(command, "1GB", 1000)
	f := command.Flags()
	f.DurationVar(&rest, "rest", time.Minute, "from the last request to the measurement")
	f.DurationVar(&over, "over", time.Minute, "how long to measure")
	return command
}

func (s *session) benchIdle(ctx context.Context, flags fillFlags, rest, over time.Duration) (err error) {
	own, err := s.fill(ctx, flags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, own.remove()) }()
	fmt.Fprintf(s.problems, "leaving the broker alone for %v, and %v more\n", rest, over)
	if err := pause(ctx, rest); err != nil {
		return err
	}
	before, err := own.consumption(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := pause(ctx, over); err != nil {
		return err
	}
	after, err := own.consumption(ctx)
	if err != nil {
		return err
	}
	share := (after.seconds - before.seconds) / time.Since(began).Seconds()
	if s.output == "json" {
		return s.json(map[string]any{"partitions": own.partitions, "records": own.written, "record_bytes": fillRecordBytes,
			"resident_bytes": after.bytes, "core_share": share})
	}
	fmt.Fprintf(s.out, "%s of %d bytes in %s, %v after the last request: %s of memory, %.1f %% of a core over %v\n",
		plural(own.written, "record"), fillRecordBytes, plural(int64(own.partitions), "partition"), rest, bytesText(after.bytes), 100*share, over)
	return nil
}

// pause waits, unless the context ends before.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// consumption is what a process takes.
type consumption struct {
	bytes   int64   // of memory that is resident
	seconds float64 // of processor time since it started
}

// consumption asks the broker's metrics.
func (b *localBroker) consumption(ctx context.Context) (c consumption, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.HTTP+"/metrics", nil)
	if err != nil {
		return c, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return c, err
	}
	defer response.Body.Close()
	found := 0
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		name, text, _ := strings.Cut(lines.Text(), " ")
		value, err := strconv.ParseFloat(text, 64)
		switch {
		case err != nil:
		case name == "process_resident_memory_bytes":
			c.bytes, found = int64(value), found+1
		case name == "process_cpu_seconds_total":
			c.seconds, found = value, found+1
		}
	}
	if found < 2 {
		return c, fmt.Errorf("the broker's metrics tell nothing of its memory and processor time on this system")
	}
	return c, nil
}
