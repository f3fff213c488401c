package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
)

// replayView shows a replay while it lasts: a table that is rewritten on a terminal, and a line now and then elsewhere.
type replayView struct {
	replay *replay
	out    io.Writer
	live   bool

	mu    sync.Mutex
	shown int // lines of the table that stand on the terminal now

	// Of the goroutine in run alone.
	topic             *protocol.DescribeTopicResponse // as it was seen last
	at                time.Time
	acknowledged, got int     // at that time
	in, back          float64 // records a second, between the last two looks
}

// The time between two looks at the cluster, and how many of them lie between two plain lines.
const (
	viewInterval = 500 * time.Millisecond
	plainLooks   = 4
)

func newReplayView(r *replay, out io.Writer) *replayView {
	return &replayView{replay: r, out: out, live: isTerminal(out)}
}

// say prints a line that stays, above the table.
func (v *replayView) say(line string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.erase()
	fmt.Fprintln(v.out, line)
}

func (v *replayView) erase() {
	if v.shown > 0 {
		fmt.Fprintf(v.out, "\x1b[%dA\x1b[J", v.shown)
		v.shown = 0
	}
}

// run looks at the cluster and shows it until the context ends, which takes the table away.
func (v *replayView) run(ctx context.Context) {
	defer func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.erase()
	}()
	broker, err := client.New(client.WithBroker(v.replay.demo.cluster.gateways()...), client.WithRequestTimeout(time.Second))
	if err != nil {
		return // the others say so
	}
	defer broker.Close()
	v.at = v.replay.began
	ticker := time.NewTicker(viewInterval)
	defer ticker.Stop()
	for look := 1; ; look++ {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if topic, err := broker.DescribeTopic(ctx, demoTopic); err == nil {
			v.topic = topic
		}
		if ctx.Err() != nil {
			return
		}
		v.measure()
		switch {
		case v.live:
			v.table()
		case look%plainLooks == 0:
			v.say("   " + v.sentence() + "; " + v.leaders())
		}
	}
}

// measure learns how far the replay is, and how fast.
func (v *replayView) measure() {
	r, now := v.replay, time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	seconds := now.Sub(v.at).Seconds()
	v.in, v.back = float64(r.acknowledged-v.acknowledged)/seconds, float64(r.read-v.got)/seconds
	v.at, v.acknowledged, v.got = now, r.acknowledged, r.read
}

// sentence tells the pass and the rates. The pass is that of the newest line that was acknowledged.
func (v *replayView) sentence() string {
	r := v.replay
	pass := min(v.acknowledged/len(r.demo.lines)+1, r.demo.passes)
	return fmt.Sprintf("pass %2d of %d   in %7s/s   out %7s/s", pass, r.demo.passes,
		humanize.Comma(int64(v.in)), humanize.Comma(int64(v.back)))
}

// leaders tells who leads how many partitions.
func (v *replayView) leaders() string {
	var words []string
	for _, b := range v.brokers() {
		words = append(words, b.name+" leads "+b.led)
	}
	return strings.Join(words, ", ")
}

// seenBroker is a broker as the table shows it.
type seenBroker struct{ name, gateway, led, state string }

func (v *replayView) brokers() []seenBroker {
	led := map[string]int{}
	if v.topic != nil {
		for _, p := range v.topic.Partitions {
			led[p.Leader.String()]++
		}
	}
	v.replay.mu.Lock()
	dead := v.replay.dead
	v.replay.mu.Unlock()
	var all []seenBroker
	for i, b := range v.replay.demo.cluster.brokers {
		node := v.replay.demo.nodes[i] // not the process's word, which is replaced when it is started again
		one := seenBroker{v.replay.demo.short[node], b.gateway, strconv.Itoa(led[node.String()]), "up"}
		if b == dead {
			one.state = "killed"
		}
		all = append(all, one)
	}
	return all
}

// table shows everything on a terminal, in place of the table before.
func (v *replayView) table() {
	var text bytes.Buffer
	fmt.Fprintf(&text, "\n%s   %s\n", v.sentence(), durationText(time.Since(v.replay.began)))
	var rows [][]string
	for _, b := range v.brokers() {
		rows = append(rows, []string{b.name, b.gateway, b.led, b.state})
	}
	// A buffer takes everything.
	_ = writeTable(&text, []string{"BROKER", "GATEWAY", "LEADS", "STATE"}, rows)
	if v.topic != nil {
		rows = nil
		short := v.replay.demo.short
		for i := range v.topic.Partitions {
			p := &v.topic.Partitions[i]
			leader := short[p.Leader]
			if p.Leader == 0 {
				leader = "none"
			}
			rows = append(rows, []string{strconv.Itoa(int(p.Partition)), leader, strconv.FormatUint(uint64(p.Term), 10), replicasText(p, short),
				humanize.Comma(int64(p.HighWatermark))})
		}
		_ = writeTable(&text, []string{"PARTITION", "LEADER", "TERM", "REPLICAS", "RECORDS"}, rows)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.erase()
	for line := range strings.Lines(text.String()) {
		fmt.Fprintf(v.out, "   %s", line)
		v.shown++
	}
}
