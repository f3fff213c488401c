package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/dustin/go-humanize"

	"troupe/gateway/client"
	"troupe/partitions/id"
)

// demoBuffer bounds what is on its way to the brokers, so that a kill finds only some of the records sent.
const demoBuffer = 8 << 20

// headerNumber is the header that numbers a record, so that it can be told from the same line in another pass.
const headerNumber = "number"

// replay sends the lines through one broker and reads them through another at the same time, while a third party kills one.
type replay struct {
	demo  *demo
	view  *replayView
	began time.Time
	total int // records to send

	mu           sync.Mutex
	books        *ledger
	acknowledged int
	read         int
	until        map[int32]id.Offset // where reading ends, exclusive; nil until everything is written
	reached      map[int32]id.Offset // how far was read
	dead         *localBroker        // nil while all are up
	fall         *fall               // nil until a broker was killed

	failover time.Duration

	half, later chan struct{} // closed by the writer on its way
	struck      chan struct{} // closed when a broker was killed
}

// fall is the kill of a broker, until others have taken over.
type fall struct {
	at      time.Time
	first   int            // the number of the first record that was sent afterwards
	waiting map[int32]bool // what it led, and has acknowledged nothing of that yet
	over    chan struct{}  // closed when waiting is empty
}

func newReplay(d *demo) *replay {
	r := &replay{
		demo: d, total: d.passes * len(d.lines), books: newLedger(), reached: map[int32]id.Offset{},
		half: make(chan struct{}), later: make(chan struct{}), struck: make(chan struct{}),
	}
	r.view = newReplayView(r, d.out)
	return r
}

// replayPatience is how much longer than planned a replay may take, fail-over included.
const replayPatience = 3 * time.Minute

var errNotThrough = fmt.Errorf("the log is not through %v after it should be", replayPatience)

// run replays the log and returns when everything that was written is read, and the broker that was killed has caught up.
func (r *replay) run(ctx context.Context, in, out string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, r.demo.length+replayPatience, errNotThrough)
	defer cancel()
	r.began = time.Now()
	var running sync.WaitGroup
	errs := make(chan error, 3)
	start := func(step func() error) {
		running.Go(func() {
			if err := step(); err != nil {
				errs <- err // there is room for all
				cancel()    // the first error is the reason of the others
			}
		})
	}
	start(func() error { return r.through(ctx, in, r.write, client.WithBufferBytes(demoBuffer)) })
	start(func() error { return r.through(ctx, out, r.consume) })
	start(func() error { return r.strike(ctx) })
	watching, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { r.view.run(watching) })
	running.Wait()
	stop()
	watch.Wait()
	close(errs)
	err := <-errs
	switch {
	case errors.Is(context.Cause(ctx), errNotThrough):
		return errNotThrough
	case err != nil:
		return err
	}
	took := time.Since(r.began)
	r.demo.fact("through", "%s lines in and out in %s: %s/s each way", humanize.Comma(int64(r.read)), durationText(took),
		humanize.Comma(int64(float64(r.read)/took.Seconds())))
	return nil
}

// through runs a step with a client that was told of one broker.
func (r *replay) through(ctx context.Context, gateway string, step func(context.Context, *client.Client) error, options ...client.Option) error {
	broker, err := client.New(append(options, client.WithBroker(gateway), client.WithClientName("troupe "+version()))...)
	if err != nil {
		return err
	}
	defer broker.Close()
	return step(ctx, broker)
}

// write sends every line of every pass when it is due, and waits for the answers. On its way it says when it is half through,
// and two thirds.
func (r *replay) write(ctx context.Context, broker *client.Client) error {
	for i := range r.total {
		switch i {
		case r.total / 2:
			close(r.half)
		case r.total * 2 / 3:
			// What follows is sent after the kill in any case: who takes over is seen by what they acknowledge of it.
			if err := awaitClosed(ctx, r.struck); err != nil {
				return err
			}
			close(r.later)
		}
		if i%64 == 0 {
			if err := r.await(ctx, i); err != nil {
				return err
			}
		}
		line := r.demo.lines[i%len(r.demo.lines)]
		if err := r.send(ctx, broker, line.Client, line.Text); err != nil {
			return err
		}
	}
	if err := broker.Flush(ctx); err != nil {
		return err
	}
	ends, err := broker.ListOffsets(ctx, demoTopic, client.FromEnd())
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.until = map[int32]id.Offset{}
	for _, e := range ends {
		r.until[e.Partition] = e.HighWatermark
	}
	return nil
}

// await waits until a record is due.
func (r *replay) await(ctx context.Context, number int) error {
	due := r.began.Add(time.Duration(float64(r.demo.length) * float64(number) / float64(r.total)))
	wait := time.Until(due)
	if wait <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *replay) send(ctx context.Context, broker *client.Client, key, value []byte) error {
	r.mu.Lock()
	number := r.books.send()
	r.mu.Unlock()
	record := &client.Record{Topic: demoTopic, Key: key, Value: value,
		Headers: []client.Header{{Key: headerNumber, Value: strconv.AppendInt(nil, int64(number), 10)}}}
	return broker.Produce(ctx, record, func(sent *client.Record, err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.books.answer(number, err)
		if err != nil {
			return
		}
		r.acknowledged++
		if f := r.fall; f != nil && number >= f.first && f.waiting[sent.Partition] {
			if delete(f.waiting, sent.Partition); len(f.waiting) == 0 {
				r.failover = time.Since(f.at)
				close(f.over)
			}
		}
	})
}

// consume reads until everything that was written has come.
func (r *replay) consume(ctx context.Context, broker *client.Client) error {
	if err := broker.Consume(ctx, demoTopic, client.FromStart()); err != nil {
		return err
	}
	for !r.complete() {
		if err := r.poll(ctx, broker); err != nil {
			return err
		}
	}
	return nil
}

// pollTime bounds one poll: the end of the writing is not announced by any record.
const pollTime = 200 * time.Millisecond

func (r *replay) poll(ctx context.Context, broker *client.Client) error {
	turn, cancel := context.WithTimeout(ctx, pollTime)
	fetches := broker.Poll(turn)
	cancel()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	lines := r.demo.lines
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range fetches.Partitions {
		f := &fetches.Partitions[i]
		for k := range f.Records {
			record := &f.Records[k]
			number := numberOf(record, headerNumber)
			genuine := number >= 0 && bytes.Equal(record.Value, lines[number%len(lines)].Text) && bytes.Equal(record.Key, lines[number%len(lines)].Client)
			r.books.read(string(record.Key), number, genuine)
			r.read++
			r.reached[f.Partition] = record.Offset + 1
		}
		if f.Err != nil && !client.Retriable(f.Err) {
			return f.Err
		}
	}
	return nil
}

func (r *replay) complete() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for partition, end := range r.until {
		if r.reached[partition] < end {
			return false
		}
	}
	return r.until != nil
}

// strike kills the broker that leads most, half way through, and starts it again two thirds through, when others have taken
// over. It returns when the broker has caught up.
func (r *replay) strike(ctx context.Context) error {
	if err := awaitClosed(ctx, r.half); err != nil {
		return err
	}
	victim, led, err := r.victim(ctx)
	if err != nil {
		return err
	}
	f := r.fell(victim, led)
	for _, moment := range []chan struct{}{f.over, r.later} {
		if err := awaitClosed(ctx, moment); err != nil {
			return err
		}
	}
	r.view.say(factLine("taken over", "after %s all of them acknowledge again", durationText(r.failover)))
	if err := victim.start(ctx); err != nil {
		return err
	}
	began := time.Now()
	r.mu.Lock()
	r.dead = nil
	r.mu.Unlock()
	r.view.say(factLine("back", "process %d on %s", victim.pid(), victim.gateway))
	err = r.demo.cluster.await(ctx, func(broker *client.Client) (bool, error) {
		topic, err := broker.DescribeTopic(ctx, demoTopic)
		return err == nil && allThere(topic), err
	})
	if err == nil {
		r.view.say(factLine("caught up", "%s later its replicas have everything", durationText(time.Since(began))))
	}
	return err
}

func awaitClosed(ctx context.Context, moment <-chan struct{}) error {
	select {
	case <-moment:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// victim returns the broker that leads most partitions, and which.
func (r *replay) victim(ctx context.Context) (*localBroker, []int32, error) {
	led := map[id.Node][]int32{}
	var most id.Node
	err := r.demo.with(ctx, func(broker *client.Client) error {
		topic, err := broker.DescribeTopic(ctx, demoTopic)
		if err != nil {
			return err
		}
		for _, p := range topic.Partitions {
			led[p.Leader] = append(led[p.Leader], p.Partition)
			if p.Leader != 0 && len(led[p.Leader]) > len(led[most]) {
				most = p.Leader
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	victim := r.demo.cluster.of(most.String())
	if victim == nil {
		return nil, nil, fmt.Errorf("no partition of %s has a leader", demoTopic)
	}
	return victim, led[most], nil
}

// fell kills a broker and begins to wait for those that take over what it led.
func (r *replay) fell(victim *localBroker, led []int32) *fall {
	f := &fall{at: time.Now(), waiting: map[int32]bool{}, over: make(chan struct{})}
	for _, number := range led {
		f.waiting[number] = true
	}
	victim.kill()
	r.mu.Lock()
	f.first = len(r.books.reads)
	r.fall, r.dead = f, victim
	acknowledged, flying := r.acknowledged, f.first-r.acknowledged
	r.mu.Unlock()
	close(r.struck)
	r.view.say(factLine("kill -9", "process %d in pass %d; it led %s; %s records acknowledged, %s on their way", victim.pid(),
		f.first/len(r.demo.lines)+1, plural(int64(len(led)), "partition"), humanize.Comma(int64(acknowledged)), humanize.Comma(int64(flying))))
	return f
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
