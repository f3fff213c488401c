package simulation

import (
	"log/slog"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/google/go-cmp/cmp"
)

func newTestScheduler(seed uint64) *Scheduler {
	return NewScheduler(Streams{seed}.Named("scheduler"), NewTrace(nil))
}

func forever() bool { return false }

func TestTimersWakeInOrderAndLeap(t *testing.T) {
	s, life := newTestScheduler(1), &Life{}
	var woke []int
	for _, at := range []int{30, 10, 20} {
		s.At(life, time.Duration(at)*time.Second, func() { woke = append(woke, at) })
	}
	s.At(life, 15*time.Second, func() { t.Error("a canceled timer woke") })()
	s.Run(time.Minute, forever)
	if diff := cmp.Diff([]int{10, 20, 30}, woke); diff != "" {
		t.Errorf("woke (-want +got):\n%s", diff)
	}
	if s.Now() < 30*time.Second || s.Now() > time.Minute {
		t.Errorf("the clock shows %v", s.Now())
	}
}

func TestDeadLivesDoNothing(t *testing.T) {
	s, life := newTestScheduler(1), &Life{}
	s.Ready(life, func() { t.Error("a step of a dead life ran") })
	s.At(life, time.Second, func() { t.Error("a timer of a dead life woke") })
	life.over = true
	s.Run(time.Minute, forever)
}

func TestPoolStartsInOrderAndBoundsWidth(t *testing.T) {
	overtaken := false
	for seed := range uint64(20) {
		s, life := newTestScheduler(seed), &Life{}
		p := &Pool{scheduler: s, life: life, random: Streams{seed}.Named("pool"), width: 3, slowest: time.Second, plan: new(Plan)}
		var ended []int
		for i := range 20 {
			p.Run(func() {
				if i >= len(ended)+3 {
					t.Errorf("seed %d: job %d ended when only %d had: more than 3 at once", seed, i, len(ended))
				}
				overtaken = overtaken || len(ended) > 0 && ended[len(ended)-1] > i
				ended = append(ended, i)
			})
		}
		s.Run(time.Hour, forever)
		if len(ended) != 20 {
			t.Errorf("seed %d: %d of 20 jobs ended", seed, len(ended))
		}
	}
	if !overtaken {
		t.Error("no job ever overtook another")
	}
}

// chatter is an actor that answers each number below 50 with the next to a neighbour.
type chatter struct {
	next **actor.PID
	log  *[]int
}

func (c chatter) Receive(context actor.Context) {
	if n, ok := context.Message().(int); ok {
		*c.log = append(*c.log, n)
		if n < 50 {
			context.Send(*c.next, n+1)
			context.Send(*c.next, n+10)
		}
	}
}

func chat(seed uint64) (uint64, []int) {
	trace := NewTrace(nil)
	s, life := NewScheduler(Streams{seed}.Named("scheduler"), trace), &Life{}
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
	var pids [2]*actor.PID
	var log []int
	for i := range pids {
		pids[i] = system.Root.Spawn(actor.PropsFromProducer(
			func() actor.Actor { return chatter{next: &pids[1-i], log: &log} },
			actor.WithDispatcher(Dispatcher{s, life}),
			actor.WithMailbox(func() actor.Mailbox { return &Mailbox{trace: trace} })))
	}
	system.Root.Send(pids[0], 30)
	system.Root.Send(pids[1], 31)
	s.Run(time.Hour, forever)
	return trace.Hash(), log
}

func TestActorsRunInTheSameOrderForTheSameSeed(t *testing.T) {
	hashes := map[uint64]bool{}
	for seed := range uint64(10) {
		first, log := chat(seed)
		second, again := chat(seed)
		if diff := cmp.Diff(log, again); diff != "" || first != second {
			t.Fatalf("seed %d: hashes %x and %x, messages (-first +second):\n%s", seed, first, second, diff)
		}
		hashes[first] = true
	}
	if len(hashes) < 2 {
		t.Error("different seeds gave the same order")
	}
}
