package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"troupe/cmd/troupe/accesslog"
	"troupe/gateway/client"
)

const (
	demoTopic      = "access-log"
	demoPartitions = 6
	// demoPasses is how often the log is replayed: long enough to watch.
	demoPasses = 50
)

// demoBuffer bounds what is on its way to the broker, so that a kill finds only some of the records sent.
const demoBuffer = 8 << 20

// headerNumber is the header that numbers a record, so that it can be told from the same line in another pass.
const headerNumber = "number"

func demoCommand(s *session) *cobra.Command {
	var keep bool
	var passes int
	command := &cobra.Command{
		Use:   "demo",
		Short: "A real web server's log in and out, with kill -9 on the way",
		Long: `Starts a broker in a temporary directory, writes 10,000 lines of a real web server's log several times over, kills the
broker with SIGKILL while it is being written to, starts it again, reads everything back, and checks that every
acknowledged line is there once and that the lines of each client address are in order. Exits 0 only if they are.`,
		Example: `  troupe demo
  troupe demo --keep    # leave the broker running afterwards`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if passes < 1 || passes > 1000 {
				return usagef("--passes is %d; it can be 1 to 1000", passes)
			}
			d := &demo{session: s, passes: passes, books: newLedger()}
			return d.run(c.Context(), keep)
		},
	}
	command.Flags().BoolVar(&keep, "keep", false, "leave the broker running until Ctrl-C, with a list of things to try")
	command.Flags().IntVar(&passes, "passes", demoPasses, "how often the log is written")
	return command
}

// demo is one run of the demonstration.
type demo struct {
	*session
	passes    int
	directory string
	process   *process
	lines     []accesslog.Line

	mu    sync.Mutex
	books *ledger
	kills chan int // the records whose acknowledgement asked for a kill
}

func (d *demo) run(ctx context.Context, keep bool) (err error) {
	if d.lines, err = accesslog.Lines(); err != nil {
		return err
	}
	if d.directory, err = os.MkdirTemp("", "troupe-demo-"); err != nil {
		return err
	}
	defer func() {
		if d.process != nil {
			err = errors.Join(err, d.process.drain())
		}
		err = errors.Join(err, os.RemoveAll(d.directory))
	}()
	for _, step := range []func(context.Context) error{d.start, d.create, d.produce, d.consume, d.judge} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	}
	if keep {
		return d.keep(ctx)
	}
	return nil
}

// title begins a stage.
func (d *demo) title(number int, text string) {
	fmt.Fprintf(d.out, "\n%d. %s\n", number, text)
}

// fact prints one aligned line of a stage.
func (d *demo) fact(name, pattern string, values ...any) {
	fmt.Fprintf(d.out, "   %-14s %s\n", name, fmt.Sprintf(pattern, values...))
}

func (d *demo) start(ctx context.Context) error {
	fmt.Fprintln(d.out, "Troupe: a real web server's log goes in, the broker is killed twice, everything comes out.")
	d.title(1, "Start a broker")
	if err := d.launch(ctx, "127.0.0.1:0"); err != nil {
		return err
	}
	d.broker = d.process.Gateway
	return nil
}

// launch starts the broker, for the first time or again on what it left.
func (d *demo) launch(ctx context.Context, gateway string) error {
	began := time.Now()
	p, err := startProcess(ctx, filepath.Join(d.directory, "data"), gateway, filepath.Join(d.directory, "broker.log"))
	if err != nil {
		return err
	}
	d.process = p
	d.fact("broker", "process %d on %s, ready after %s", p.pid(), p.Gateway, durationText(time.Since(began)))
	return nil
}

func (d *demo) create(ctx context.Context) error {
	d.title(2, "Create a topic")
	return d.with(ctx, func(broker *client.Client) error {
		if _, err := broker.CreateTopic(ctx, demoTopic, demoPartitions, nil); err != nil {
			return err
		}
		d.fact("topic", "%s with %d partitions; a record counts as written once it is on disk, fsynced", demoTopic, demoPartitions)
		return nil
	})
}

// produce writes the log over and over through one client, which does not know that the broker dies under it.
func (d *demo) produce(ctx context.Context) error {
	d.title(3, fmt.Sprintf("Write the log %d times, a record a line, keyed by client address", d.passes))
	return d.with(ctx, func(broker *client.Client) error {
		d.kills = make(chan int, 2)
		killed := make(chan error, 1)
		go func() { killed <- d.killAndRestart(ctx) }()
		p := newProgress(d.problems)
		err := d.sendAll(ctx, broker, p)
		close(d.kills)
		err = errors.Join(err, <-killed)
		d.fact("written", "%s", p.finish())
		return err
	}, client.WithBufferBytes(demoBuffer))
}

// sendAll sends every line of every pass and waits for the answers. The acknowledgements of two records, a quarter and two
// thirds through, ask for a kill.
func (d *demo) sendAll(ctx context.Context, broker *client.Client, p *progress) error {
	total := d.passes * len(d.lines)
	kills := []int{total * 4 / 15, total * 2 / 3}
	for range d.passes {
		for _, line := range d.lines {
			d.mu.Lock()
			number := d.books.send()
			d.mu.Unlock()
			record := &client.Record{Topic: demoTopic, Key: line.Client, Value: line.Text,
				Headers: []client.Header{{Key: headerNumber, Value: strconv.AppendInt(nil, int64(number), 10)}}}
			err := broker.Produce(ctx, record, func(_ *client.Record, err error) {
				d.mu.Lock()
				d.books.answer(number, err)
				d.mu.Unlock()
				p.add(1, int64(len(line.Client)+len(line.Text)))
				if slices.Contains(kills, number) {
					d.kills <- number // there is room for all
				}
			})
			if err != nil {
				return err
			}
		}
	}
	return broker.Flush(ctx)
}

// killAndRestart kills the broker and starts it again on its directory and address, whenever asked.
func (d *demo) killAndRestart(ctx context.Context) error {
	for number := range d.kills {
		d.mu.Lock()
		books := d.books.verdict()
		d.mu.Unlock()
		d.process.kill()
		d.fact("kill -9", "process %d, in pass %d: %s records acknowledged, %s sent and not yet answered", d.process.pid(),
			number/len(d.lines)+1, humanize.Comma(int64(books.acknowledged)), humanize.Comma(int64(books.sent-books.acknowledged)))
		if err := d.launch(ctx, d.process.Gateway); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) consume(ctx context.Context) error {
	d.title(4, "Read everything back, from the first record to the last")
	return d.with(ctx, func(broker *client.Client) error {
		p := newProgress(d.problems)
		err := readAll(ctx, broker, demoTopic, func(r *client.Record) {
			number := numberOf(r, headerNumber)
			genuine := number >= 0 && bytes.Equal(r.Value, d.lines[number%len(d.lines)].Text) &&
				bytes.Equal(r.Key, d.lines[number%len(d.lines)].Client)
			d.books.read(string(r.Key), number, genuine)
			p.add(1, int64(len(r.Key)+len(r.Value)))
		})
		d.fact("read", "%s", p.finish())
		return err
	})
}

// numberOf returns the number in a record's header, or -1.
func numberOf(r *client.Record, name string) int {
	for _, h := range r.Headers {
		if h.Key == name {
			if n, err := strconv.Atoi(string(h.Value)); err == nil {
				return n
			}
		}
	}
	return -1
}

// judge prints the verdict and returns an error unless it is flawless.
func (d *demo) judge(context.Context) error {
	d.title(5, "Verdict")
	v := d.books.verdict()
	for _, count := range []struct {
		name   string
		number int
	}{
		{"acknowledged", v.acknowledged}, {"read", v.read}, {"lost", v.lost}, {"duplicated", v.duplicated},
		{"out of order", v.disordered}, {"altered", v.foreign},
	} {
		d.fact(count.name, "%9s", humanize.Comma(int64(count.number)))
	}
	switch {
	case v.err() != nil:
		return v.err()
	case v.acknowledged != v.sent:
		return fmt.Errorf("%d of %d records were not acknowledged", v.sent-v.acknowledged, v.sent)
	}
	fmt.Fprintf(d.out, "\nEvery line came back once, and the lines of each of %s addresses in order.\n", humanize.Comma(int64(v.keys)))
	return nil
}

// keep leaves the broker to visitors until Ctrl-C. One that they kill is started again.
func (d *demo) keep(ctx context.Context) error {
	d.invite()
	for {
		select {
		case <-d.process.exited:
		case <-ctx.Done():
		}
		select {
		case <-ctx.Done(): // a terminal interrupts the broker too, which may be gone before this process has heard of it
			fmt.Fprintf(d.out, "\nThe broker ends, and %s is removed.\n", d.directory)
			return nil
		case <-time.After(graceTime):
		}
		fmt.Fprintln(d.out, "\nThe broker is gone; it is started again on its data.")
		if err := d.launch(ctx, d.process.Gateway); err != nil {
			return err
		}
	}
}

// graceTime is how long a dead broker may owe its death to an interrupt that is still on its way here.
const graceTime = 300 * time.Millisecond

// invite lists what a visitor can try on the broker that is left running.
func (d *demo) invite() {
	fmt.Fprintf(d.out, `
The broker is still up, on %[1]s. In another terminal, in this directory:

   export TROUPE_BROKER=%[1]s PATH=$PWD/bin:$PATH
   troupe topic describe %[2]s
   troupe consume %[2]s -n 5
   troupe consume %[2]s --from end --format '%%p %%o %%k\n'        # and in a third terminal:
   echo "hello from the third terminal" | troupe produce %[2]s
   troupe cluster status
   kill -9 %[3]d      # it is started again, with everything

Ctrl-C ends the broker and removes its data, which is in %[4]s.
`, d.process.Gateway, demoTopic, d.process.pid(), d.directory)
}
