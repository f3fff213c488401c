package real

import (
	"context"
	"errors"
	"syscall"
	"time"
)

// fault is something that happens to one broker. Strike does it and undoes it; while it lasts the others are a quorum.
type fault struct {
	name string
	// damaging faults take bytes away: they wait until every replica has everything, before and after.
	damaging bool
	// needs names what else the fault cannot do without, as a key of Report.Skipped; "" for nothing.
	needs  string
	strike func(*run, context.Context, *broker) error
}

// faults are all that there are. A run set in which one never fired has tested less than it says.
var faults = []fault{
	{name: "kill", strike: (*run).kill},
	{name: "kill twice", strike: (*run).killTwice},
	{name: "pause", strike: (*run).pause},
	{name: "stop", strike: (*run).stop},
	{name: "restart", strike: (*run).restart},
	{name: "move", strike: (*run).move},
	{name: "cut both ways", needs: "cut", strike: (*run).cutBoth},
	{name: "cut what it sends", needs: "cut", strike: (*run).cutSending},
	{name: "cut what it hears", needs: "cut", strike: (*run).cutHearing},
	{name: "cut from one", needs: "cut", strike: (*run).cutPair},
	{name: "full disk", needs: "full disk", strike: (*run).fillDisk},
	{name: "wiped", damaging: true, strike: (*run).wipe},
	{name: "flipped byte", damaging: true, strike: (*run).flip},
	{name: "twin", damaging: true, strike: (*run).twin},
}

// The rest between two faults.
const restLeast, restMost = 500 * time.Millisecond, 2500 * time.Millisecond

// harm lets faults happen, one after the other, until the time is up: first each of them in some order, then any.
func (r *run) harm(ctx context.Context) {
	var able []*fault
	for i := range faults {
		if _, skipped := r.report.Skipped[faults[i].needs]; !skipped {
			able = append(able, &faults[i])
		}
	}
	order := r.random.Perm(len(able))
	for n := 0; r.chronicle.now() < r.config.Length && ctx.Err() == nil; n++ {
		f := able[r.random.IntN(len(able))]
		if n < len(order) {
			f = able[order[n]]
		}
		b := r.brokers[r.random.IntN(len(r.brokers))]
		if err := r.strike(ctx, f, b); err != nil {
			r.fail(ctx, f.name+" of "+b.name, err)
			return
		}
		r.report.Faults[f.name]++
		rest(ctx, r.between(restLeast, restMost))
	}
}

// strike lets one fault happen.
func (r *run) strike(ctx context.Context, f *fault, b *broker) error {
	if f.damaging {
		if err := r.awaitWhole(ctx); err != nil {
			return err
		}
	}
	led := r.led(ctx, b)
	r.say(b.name, "%s; it leads %d partitions", f.name, len(led))
	r.chronicle.falls(f.name, led)
	if err := f.strike(r, ctx, b); err != nil {
		return err
	}
	if f.damaging {
		if err := r.awaitWhole(ctx); err != nil {
			return err
		}
	}
	r.say(b.name, "%s is over", f.name)
	return nil
}

// fail makes a violation of what a step could not do, unless the run is over anyway.
func (r *run) fail(ctx context.Context, what string, err error) {
	if ctx.Err() != nil {
		return
	}
	invariant := "no-recovery"
	switch {
	case errors.Is(err, errNotWhole):
		invariant = "not-whole"
	case errors.Is(err, errUneven):
		invariant = "uneven"
	case errors.Is(err, errSlowStop):
		invariant = "slow-stop"
	case errors.Is(err, errTwin):
		invariant = "twin-let-in"
	}
	for _, b := range r.brokers {
		b.signal(syscall.SIGQUIT) // the Go runtime writes what every goroutine waits for into the log, and ends the process
	}
	r.chronicle.violate(invariant, what+": "+err.Error())
}

// between draws a time.
func (r *run) between(least, most time.Duration) time.Duration {
	return least + time.Duration(r.random.Int64N(int64(most-least)+1))
}

// lasting draws how long a fault lasts: up to so long, and less in a short run, or only few would have a turn.
func (r *run) lasting(most time.Duration) time.Duration {
	return r.between(time.Second/5, min(most, max(time.Second, r.config.Length/20)))
}

// rest waits, unless the run ends.
func rest(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// kill ends the process without a word, and starts it again after a while.
func (r *run) kill(ctx context.Context, b *broker) error {
	b.kill()
	rest(ctx, r.lasting(10*time.Second))
	return b.start(ctx)
}

// killTwice kills the process again while it starts.
func (r *run) killTwice(ctx context.Context, b *broker) error {
	b.kill()
	if err := b.spawn(); err != nil {
		return err
	}
	rest(ctx, r.between(0, 300*time.Millisecond))
	b.kill()
	return b.start(ctx)
}

// move kills the process, and starts it where other brokers have to find it first.
func (r *run) move(ctx context.Context, b *broker) error {
	b.kill()
	killed := r.chronicle.now()
	var err error
	b.moves++
	if _, b.peer, b.gossip, err = b.site.addresses(b.moves); err != nil { // clients know no other gateway
		return err
	}
	if err := b.start(ctx, "--join", r.seeds(b)); err != nil {
		return err
	}
	if err := r.awaitWhole(ctx); err != nil {
		return err
	}
	r.say(b.name, "has caught up at its new address %v after it was killed", (r.chronicle.now() - killed).Round(time.Millisecond))
	return nil
}

// pause stops the process where it is, and lets it go on as if nothing had been.
func (r *run) pause(ctx context.Context, b *broker) error {
	b.signal(syscall.SIGSTOP)
	defer b.signal(syscall.SIGCONT)
	rest(ctx, r.between(time.Second/2, min(20*time.Second, max(2*time.Second, r.config.Length/10))))
	return nil
}

// stop asks the process to end in order, and starts it again after a while.
func (r *run) stop(ctx context.Context, b *broker) error {
	if err := b.stop(); err != nil {
		return err
	}
	rest(ctx, r.lasting(10*time.Second))
	return b.start(ctx)
}

// restart is what an upgrade does.
func (r *run) restart(ctx context.Context, b *broker) error {
	if err := b.stop(); err != nil {
		return err
	}
	return b.start(ctx)
}

// link is a direction between two brokers.
type link struct{ from, to *broker }

// cut loses everything on some links for a while.
func (r *run) cut(ctx context.Context, links []link) (err error) {
	for _, l := range links {
		if err := r.network.cut(l.from.site, l.to.site); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.network.mend(l.from.site, l.to.site)) }()
	}
	rest(ctx, r.lasting(20*time.Second))
	return nil
}

// links are those between a broker and the others.
func (r *run) links(b *broker, sending, hearing bool) (all []link) {
	for _, other := range r.brokers {
		if other != b && sending {
			all = append(all, link{b, other})
		}
		if other != b && hearing {
			all = append(all, link{other, b})
		}
	}
	return all
}

func (r *run) cutBoth(ctx context.Context, b *broker) error {
	return r.cut(ctx, r.links(b, true, true))
}

func (r *run) cutSending(ctx context.Context, b *broker) error {
	return r.cut(ctx, r.links(b, true, false))
}

func (r *run) cutHearing(ctx context.Context, b *broker) error {
	return r.cut(ctx, r.links(b, false, true))
}

// cutPair keeps two brokers from each other, in one direction or both, that both still see the third.
func (r *run) cutPair(ctx context.Context, b *broker) error {
	all := r.links(b, true, r.random.IntN(2) == 0)
	other := all[r.random.IntN(len(all))]
	var between []link
	for _, l := range all {
		if l == other || l.from == other.to && l.to == other.from {
			between = append(between, l)
		}
	}
	return r.cut(ctx, between)
}
