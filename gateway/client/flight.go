package client

import (
	"context"
	"fmt"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// mostInflight is how many batches of one producer a partition remembers (log.md, Idempotence): with more in flight, one
// sent again could have been forgotten.
const mostInflight = 5

// flight is what a lane has sent and what it must send again. Only the lane's goroutine touches it.
//
// Sequence numbers are given when a parcel is first sent, so a parcel that never was leaves no gap. After any answer that is
// not a success nothing is sent until everything in flight is answered; then all that is not delivered goes again, in order,
// with the bytes it had: the broker recognises what it has already.
//
// A parcel that fails for good leaves a gap in the sequence, and the lane takes a new identity. What was sent after it under
// the old one can never be appended, because of the gap, if the parcel certainly was not; so it goes again under the new
// identity. If the parcel's outcome is unknown, so is that of whatever followed it without an answer: it fails too.
type flight struct {
	lane       *lane
	identity   identity // zero: to be asked for
	left       bool     // the client's common identity was left for one of the lane's own
	sequence   int32    // of the next record
	sent       []*parcel
	again      []*parcel // go before anything the lane has, in order
	halted     bool      // an answer in sent is not a success
	attempts   uint64
	pause      time.Time // nothing is sent before
	trouble    error     // why it pauses; nil since the last delivery
	connection *connection
	compressor batch.Compressor
}

// answer is what came of one send.
type answer struct {
	attempt uint64
	err     error
	base    id.Offset
	term    id.Term // of the leader that answered; 0: not told
}

// advance does all that can be done now. It returns when to look again (zero: when woken) and whether the lane is done.
func (f *flight) advance(now time.Time) (next time.Time, ended bool) {
	for {
		for _, a := range f.lane.takeAnswers() {
			f.note(a)
		}
		f.settle()
		if _, ended, why := f.lane.state(); ended {
			f.giveUp(why)
			return time.Time{}, true
		}
		f.expire(now)
		if f.halted || len(f.sent) >= f.most() || now.Before(f.pause) || f.turning() {
			break
		}
		p, later := f.next(now)
		if p == nil {
			next = later
			break
		}
		f.send(p)
		now = time.Now()
	}
	if now.Before(f.pause) {
		next = f.pause
	}
	if oldest := f.oldest(); !oldest.IsZero() {
		if deadline := f.deadline(oldest); next.IsZero() || deadline.Before(next) {
			next = deadline
		}
	}
	return next, false
}

func (f *flight) most() int {
	if f.idempotent() {
		return mostInflight
	}
	return 1 // nothing would keep the order if one of several failed
}

// turning tells that the partition is led from another broker than the one where everything in flight went: what comes next
// waits until that is answered, or two routes could swap batches.
func (f *flight) turning() bool {
	if len(f.sent) == 0 || f.connection == nil {
		return false
	}
	leader := f.lane.topicNow().leader(f.lane.number)
	return leader != "" && leader != f.connection.address && f.lane.client.cluster.usable(leader)
}

func (f *flight) idempotent() bool { return f.lane.client.settings.idempotent() }

func (f *flight) deadline(born time.Time) time.Time {
	return born.Add(f.lane.client.settings.deliveryTimeout)
}

func (f *flight) action() string { return fmt.Sprintf("produce to %s/%d", f.lane.topic, f.lane.number) }

func (f *flight) next(now time.Time) (*parcel, time.Time) {
	if len(f.again) > 0 {
		p := f.again[0]
		f.again = f.again[1:]
		return p, time.Time{}
	}
	return f.lane.take(now)
}

// oldest tells when the parcel was born whose time runs out first.
func (f *flight) oldest() time.Time {
	switch {
	case len(f.sent) > 0:
		return f.sent[0].born
	case len(f.again) > 0:
		return f.again[0].born
	}
	return f.lane.waitingSince()
}

// send sends a parcel, as the last in flight, or puts it back with a pause.
func (f *flight) send(p *parcel) {
	if p.isDelivered() {
		f.sent = append(f.sent, p)
		return
	}
	ctx, cancel := context.WithDeadline(f.lane.client.closing, f.deadline(p.born))
	defer cancel()
	if err := f.prepare(ctx); err != nil {
		f.again = append([]*parcel{p}, f.again...)
		f.postpone(p, err)
		return
	}
	if err := f.build(p); err != nil {
		f.lane.finish(p, NoOffset, err)
		return
	}
	f.attempts++
	p.attempt, p.alone, p.answered = f.attempts, len(f.sent) == 0, false
	f.sent = append(f.sent, p)
	attempt, into := p.attempt, new(protocol.ProduceResponse)
	request := &protocol.ProduceRequest{Topic: f.lane.topic, TopicID: f.lane.life, Acks: f.lane.client.settings.acks,
		Partitions: []protocol.ProducePartition{{Partition: f.lane.number, Batch: p.bytes, ExpectEnd: protocol.NoOffset}}}
	f.connection.send(request, into, func(err error) {
		a := answer{attempt: attempt, err: err, base: NoOffset}
		switch {
		case err != nil:
		case len(into.Partitions) != 1:
			a.err = fmt.Errorf("the answer tells of %d partitions: %w", len(into.Partitions), errLost)
		case into.Partitions[0].Err != nil:
			a.err = into.Partitions[0].Err
		default:
			a.base, a.term = into.Partitions[0].BaseOffset, into.Partitions[0].Term
		}
		f.lane.answered(a)
	})
}

// prepare gets a connection and an identity. While anything is in flight its connection is kept: two routes could swap
// batches.
func (f *flight) prepare(ctx context.Context) error {
	if len(f.sent) == 0 {
		leader, _, _ := f.lane.state()
		conn, err := f.lane.client.cluster.connect(ctx, forProduce, leader)
		if err != nil {
			return err
		}
		f.connection = conn
	}
	switch {
	case !f.idempotent():
		f.identity = anonymous
	case f.identity != identity{}:
	case f.left:
		fresh, err := f.lane.client.newIdentity(ctx)
		if err != nil {
			return err
		}
		f.identity = fresh
	default:
		common, err := f.lane.client.commonIdentity(ctx)
		if err != nil {
			return err
		}
		f.identity = common
	}
	return nil
}

// build makes the parcel's bytes, once for each identity. A batch that the broker would not even read fails here.
func (f *flight) build(p *parcel) error {
	if p.bytes != nil {
		return nil
	}
	first := f.sequence
	if !f.idempotent() {
		first = batch.NoSequence
	}
	p.builder.ShareCompressor(&f.compressor)
	bytes, err := p.builder.Build(f.identity.producer, f.identity.epoch, first)
	if err != nil {
		return fmt.Errorf("%s: %w", f.action(), err)
	}
	if most := f.connection.hello.Limits.BatchBytes; most > 0 && int64(len(bytes)) > most {
		return explain(f.action(), protocol.NewError(protocol.CodeBatchTooLarge,
			"a batch of %d bytes and %d records is above the broker's limit of %d", len(bytes), p.builder.Count(), most))
	}
	p.bytes = bytes
	f.sequence = batch.NextSequence(f.sequence, int32(p.builder.Count()))
	return nil
}

// note keeps an answer with its parcel. Answers to sends that were given up find none.
func (f *flight) note(a answer) {
	for _, p := range f.sent {
		if p.attempt == a.attempt {
			p.answered, p.answer = true, a
			p.maybe = p.maybe || mayHaveHappened(a.err)
			f.halted = f.halted || a.err != nil
			f.lane.client.topics.heed(f.lane.topicNow(), f.lane.number, a.term, a.err)
		}
	}
}

// settle finishes what is answered, in order.
func (f *flight) settle() {
	for len(f.sent) > 0 && f.sent[0].answered {
		p := f.sent[0]
		switch judge(p.answer.err, p, f.idempotent()) {
		case delivered:
			f.sent, f.trouble = f.sent[1:], nil
			f.lane.finish(p, p.answer.base, nil)
		case sendAgain:
			if !f.allAnswered() {
				return
			}
			f.rewind()
		case failed:
			f.abandon(p.answer.err)
		}
	}
	if len(f.sent) == 0 {
		f.sent, f.halted = nil, false
	}
}

func (f *flight) allAnswered() bool {
	for _, p := range f.sent {
		if !p.answered {
			return false
		}
	}
	return true
}

// rewind takes back everything in flight, which is all answered, to be sent again after a pause. What was delivered behind
// the head stays in its place and counts as in flight, or the partition could be ahead of the head by more than it remembers.
func (f *flight) rewind() {
	head := f.sent[0]
	f.again = append(f.sent, f.again...)
	f.sent = nil
	f.postpone(head, head.answer.err)
}

// postpone pauses sending, longer with each failure of the parcel, and looks for a better route meanwhile.
func (f *flight) postpone(p *parcel, err error) {
	f.pause, f.trouble = time.Now().Add(backoff(p.failures, err)), err
	p.failures++
	if told := f.lane.client.settings.trouble; told != nil {
		told(f.lane.topic, f.lane.number, err)
	}
	f.lane.client.topics.refresh(f.lane.topic)
}

// abandon fails the first parcel for good and decides over those behind it: see flight.
func (f *flight) abandon(err error) {
	behind := append(append([]*parcel(nil), f.sent...), f.again...)
	head := behind[0]
	unknown := head.maybe || head.isOut()
	f.again, f.sent, f.halted = nil, nil, false
	f.identity, f.sequence, f.left = identity{}, 0, true
	if !unknown && topicIsGone(err) {
		// Before anybody is told: who produces again at once means the topic that is there now.
		f.lane.client.topics.gone(f.lane.topic, f.lane.life, err)
	}
	if unknown {
		f.lane.finish(head, NoOffset, unknownOutcome(f.action(), err))
	} else {
		f.lane.finish(head, NoOffset, explain(f.action(), err))
	}
	for _, p := range behind[1:] {
		switch {
		case p.isDelivered():
			f.lane.finish(p, p.answer.base, nil)
		case unknown && (p.maybe || p.isOut()):
			f.lane.finish(p, NoOffset, unknownOutcome(f.action(), err))
		default:
			p.bytes, p.maybe = nil, false
			f.again = append(f.again, p)
		}
	}
}

// expire fails what has had its time.
func (f *flight) expire(now time.Time) {
	for {
		oldest := f.oldest()
		if oldest.IsZero() || f.deadline(oldest).After(now) {
			return
		}
		late := fmt.Errorf("%w of %v", ErrDeliveryTimeout, f.lane.client.settings.deliveryTimeout)
		if f.trouble != nil { // for people only: what it was must not decide what may be sent again
			late = fmt.Errorf("%w; the last attempt: %v", late, f.trouble)
		}
		if len(f.sent)+len(f.again) > 0 {
			f.abandon(late)
			continue
		}
		p, _ := f.lane.take(now)
		if p == nil {
			return
		}
		f.lane.finish(p, NoOffset, explain(f.action(), late))
	}
}

// giveUp fails everything there is, because the topic is no more or (why is nil) the client was closed.
func (f *flight) giveUp(why *protocol.Error) {
	reason := error(ErrClosed)
	if why != nil {
		reason = why
	}
	rest := append(f.sent, f.again...)
	f.sent, f.again = nil, nil
	rest = append(rest, f.lane.takeAll()...)
	for _, p := range rest {
		if p.isDelivered() {
			f.lane.finish(p, p.answer.base, nil)
			continue
		}
		if p.maybe || p.isOut() {
			f.lane.finish(p, NoOffset, unknownOutcome(f.action(), reason))
			continue
		}
		f.lane.finish(p, NoOffset, explain(f.action(), reason))
	}
}
