package actors

import (
	"errors"
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"troupe/partitions"
	"troupe/partitions/id"
)

// phase is where a partition stands in its life.
//
//	opening ──► settling ──► serving ──┐ failure
//	   ▲ │                             ▼
//	   │ ├────► quarantined ───────► closing ──► waiting (for the clock) ──► opening
//	   │ └────► waiting                ├───────► stopped, for good
//	   └───────────┘                   └───────► gone
type phase uint8

const (
	phaseOpening     phase = iota // a job opens the log; requests are held
	phaseSettling                 // the replica runs and does not serve yet; requests are held
	phaseServing                  //
	phaseQuarantined              // damaged: read-only
	phaseClosing                  // pool work ends, then the log closes
	phaseWaiting                  // closed; the clock is set for another attempt
	phaseStopped                  // final, and visible: the operator must look
	phaseGone                     // final: left the broker
)

// partition is the shell of a partition: the actor that holds one replica after the other. It outlives them, so it is the
// shell that keeps the promise that every request is answered once.
//
// Invariants: life is set from settling to closing; a request in waiting was handed to the living replica, or waits for the
// pool; ending is set, and the door closed, from the moment the partition is told to leave.
type partition struct {
	*stage
	*address
	plan *plan
	// settings are the topic's, newer than the plan's where it was altered since the actor started.
	settings   partitions.Settings
	assignment partitions.Assignment      // likewise
	catalog    *actor.PID                 // whom to tell when it settles and when it is gone
	observe    func(fold partitions.Fold) // called before answers, whenever the fold may have changed; may be nil

	self     *actor.PID
	storage  *actor.PID
	phase    phase
	instance uint64 // of the newest life
	life     *life
	jobs     int   // reads and scrubs on the pool, of this life
	shut     bool  // the close order of this life was given
	tries    int   // at opening, since it last served
	failure  error // why it closes, waits or is stopped
	// damage is what a replica met in a log that had opened, and could not go on without. Opening reads the end of a log
	// only, so the next life would meet it again: it goes into quarantine instead.
	damage  error
	aside   error // the damage for which a leader hands over before its log is mended
	ending  *leave
	yields  bool // it hands over what it leads; yielded: the catalog's actor was told that it has
	yielded bool
	told    id.Offset         // the version of the assignment that the catalog's actor was told to be reached
	follows led               // the leader's term, as it was last made known; of a leader on another broker
	counted partitions.Counts // of this life's replica, as the meter was last told
	traffic
	mending
}

func newPartition(s *stage, p *plan, catalog *actor.PID) *partition {
	return &partition{
		stage: s, address: p.address, plan: p, settings: p.settings, assignment: p.assignment, catalog: catalog,
		traffic: traffic{waiting: map[partitions.Request]request{}},
	}
}

// Receive handles one message. Whatever panics below ends this life of the partition.
func (p *partition) Receive(c actor.Context) {
	defer p.rescue(p.name, p.fail)
	switch m := c.Message().(type) {
	case *actor.Started:
		p.self = c.Self()
		p.storage = p.spawn(c, &storage{stage: p.stage, plan: p.plan}, "storage")
		p.open()
		p.serve() // the wake of whoever came before the actor was lost
	case *actor.Stopped:
		p.abandon()
		return
	case yield:
		p.yields, p.yielded = true, false
		p.giveWay()
	case leave:
		p.leave(m)
	case configure:
		p.settings, p.assignment = m.settings, m.assignment
		if p.running() {
			p.direct()
		}
		p.mend()
	case roomChanged:
		if p.running() {
			p.regard()
		}
	case hurry:
		p.hurry()
	case reopen:
		if m.instance == p.instance && p.phase == phaseWaiting {
			p.open()
		}
	case opened:
		p.opened(m)
	case closed:
		p.ended(m)
	case removed:
		p.removed(m)
	default:
		p.work(m)
	}
	p.turn()
	if p.phase == phaseGone {
		c.Stop(p.self)
	}
}

// open begins a life. Its number distinguishes everything that comes back from it.
func (p *partition) open() {
	p.instance++
	p.phase, p.jobs, p.shut, p.ticks, p.saving = phaseOpening, 0, false, 0, 0
	p.mending, p.aside = mending{}, nil
	p.send(p.storage, openOrder{instance: p.instance, damage: p.damage})
}

func (p *partition) opened(m opened) {
	if m.instance != p.instance || p.phase != phaseOpening {
		return
	}
	p.life, p.counted = m.life, partitions.Counts{}
	if p.ending != nil || m.err != nil {
		p.fail(m.err)
		return
	}
	if q := p.life.quarantine; q != nil {
		p.quarantined(q)
		return
	}
	p.phase = phaseSettling
	p.direct()
	p.regard()
	p.ticking.Store(true)
}

// direct tells the replica what the catalog says of it.
func (p *partition) direct() {
	p.life.replica.Configure(p.settings)
	p.life.replica.Assign(p.assignment)
}

func (p *partition) quarantined(q *quarantine) {
	p.phase = phaseQuarantined
	p.alone.Store(true)
	p.failure = q.reason
	p.complain("quarantined, read-only: " + q.reason.Error() + q.kind())
	p.settle()
	p.release()
	p.mend()
}

// settle reports that the partition serves from now on, or does not.
func (p *partition) settle() {
	p.send(p.catalog, settled{address: p.address, serving: p.phase == phaseServing})
}

// complain shows operators why the partition does not serve, and logs it when it is news; "" tells that it does again.
func (p *partition) complain(sentence string) {
	switch was := p.readProblem(); {
	case sentence == was:
	case sentence == "":
		p.log.Info("partition serves again", "partition", p.name, "replica", uint64(p.replica), "was", was)
	default:
		p.log.Error("partition does not serve as it should", "partition", p.name, "replica", uint64(p.replica), "problem", sentence,
			"next", p.advice())
	}
	p.setProblem(sentence)
}

// advice is what an operator can do about a partition that fails.
func (p *partition) advice() string {
	switch {
	case errors.Is(p.failure, partitions.ErrNewer):
		return "run the newer program that wrote it; nothing was changed"
	case p.phase == phaseQuarantined || p.phase == phaseServing:
		return "nothing is deleted; keep the files, look at the disk, and with the broker stopped at `troupe log verify` and `troupe log repair`"
	case final(p.failure):
		return "its log is closed and whole as far as it was written; report this, with the log around it"
	}
	return "it is opened again by itself; look at the disk if that goes on"
}

// fail ends this life. Everyone who waits is answered; then the log closes, and what happens next depends on the failure.
func (p *partition) fail(err error) {
	if p.phase >= phaseClosing {
		return
	}
	p.count()
	if errors.Is(err, partitions.ErrDamaged) {
		p.damage = err
	}
	p.failure, p.phase = err, phaseClosing
	p.ticking.Store(false)
	p.leads.Store(0)
	p.alone.Store(true)
	if p.ending == nil && err != errMended {
		p.complain(p.verdict() + err.Error())
	}
	p.refuseAll(p.refusal())
	p.close()
}

func (p *partition) verdict() string {
	if final(p.failure) {
		return "stopped for good: "
	}
	return "restarting: "
}

// refusal is what requests are told while the partition does not serve. It unwraps to one sentinel: what the failure was is
// for people.
func (p *partition) refusal() error {
	switch {
	case p.ending != nil:
		return p.ending.reason()
	case p.failure == nil:
		return fmt.Errorf("%w: the partition opens", partitions.ErrNotReady)
	case final(p.failure):
		return fmt.Errorf("%w: %v", partitions.ErrUnavailable, p.failure)
	}
	return fmt.Errorf("%w: the partition restarts after: %v", partitions.ErrNotReady, p.failure)
}

// close gives the storage child the order to close, once no job of this life is on the pool.
func (p *partition) close() {
	if p.phase == phaseClosing && p.jobs == 0 && !p.shut {
		p.shut = true
		p.send(p.storage, closeOrder{instance: p.instance})
	}
}

// ended comes when the log of a life is closed: the one moment at which another may begin.
func (p *partition) ended(m closed) {
	if m.instance != p.instance || p.phase != phaseClosing {
		return
	}
	p.life = nil
	switch {
	case p.ending != nil && p.ending.remove:
		p.send(p.storage, removeOrder{})
	case p.ending != nil:
		p.end(false)
	case final(p.failure):
		p.phase = phaseStopped
		p.settle()
	default:
		p.phase = phaseWaiting
		p.tries++
		p.meter.Restarted()
		p.settle()
		p.later(p.limits.delay(p.tries), p.self, reopen{instance: p.instance})
	}
}

// reason is what requests are told once the partition is leaving.
func (l leave) reason() error {
	if l.remove {
		return fmt.Errorf("%w: the topic was deleted", partitions.ErrUnknownTopic)
	}
	return errStopped
}

// leave ends the partition. With remove it ends at once; otherwise what is under way is finished first, for StopWait.
func (p *partition) leave(m leave) {
	if p.ending != nil {
		return
	}
	p.ending = &m
	p.refuseEach(p.door.close(m.reason()), m.reason())
	switch p.phase {
	case phaseWaiting, phaseStopped: // nothing is open: the close order only brings the answer
		p.phase, p.shut = phaseClosing, false
		p.close()
	case phaseQuarantined:
		p.fail(nil)
	case phaseSettling, phaseServing:
		if m.remove {
			p.fail(nil)
			return
		}
		p.refuseEach(p.held, m.reason())
		p.held = nil
		p.dismiss()
		p.later(p.limits.StopWait, p.self, hurry{})
	}
}

// hurry ends the waiting for what is under way.
func (p *partition) hurry() {
	if p.phase == phaseSettling || p.phase == phaseServing {
		p.fail(nil)
	}
}

// removed comes when the bytes of a deleted replica are gone, or could not be deleted.
func (p *partition) removed(m removed) {
	if m.err != nil {
		p.complain("its bytes could not be deleted: " + m.err.Error())
	}
	p.end(m.err == nil)
}

func (p *partition) end(erased bool) {
	p.phase = phaseGone
	p.send(p.catalog, gone{address: p.address, erased: erased})
}

// abandon answers whoever is left when the actor has stopped: nobody, unless it was stopped from outside.
func (p *partition) abandon() {
	why := fmt.Errorf("%w: the partition's actor stopped", partitions.ErrUnavailable)
	if p.phase != phaseGone {
		p.complain("its actor was stopped from outside")
	}
	p.refuseEach(p.door.close(why), why)
	p.refuseAll(why)
}
