package gateway

import (
	"errors"
	"fmt"
	"sync"

	"troupe/gateway/protocol"
	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// fetchWindow is how many partitions are read at the same time while nobody waits: a window may return one batch each
// beyond what was asked for.
const fetchWindow = 16

// fetching is one fetch on its way. It goes through the partitions in windows without waiting; what is left of max_bytes is
// shared among those still to come, and again among those that have more while at least an eighth is left. If that is
// less than min_bytes, and nobody failed or has more, every partition is asked to wait for records; the first answer that
// makes it enough, an error, or the end of the wait gives up all other waits.
//
// The broker is never called with mu held: its completions may come before it returns.
type fetching struct {
	session  *Session
	call     call
	form     protocol.Form
	minBytes int
	maxBytes int
	until    id.Timestamp // when the wait ends; 0: there is none
	first    int          // the part whose turn is first: see turn; another one for each fetch of a session

	mu          sync.Mutex
	parts       []fetchPart
	queue       []int // parts to be asked in this pass, in order
	total       int   // bytes of batches so far
	reserved    int   // for them, of the budget of all connections; at least total
	refusal     *protocol.Error
	outstanding int  // asked and not answered
	launching   bool // a goroutine is at work in advance: completions leave the next step to it
	waiting     bool // the passes are over, and parts wait for records
	ended       bool // nobody is to be asked any more
	replied     bool
}

// fetchPart is one partition of a fetch.
type fetchPart struct {
	partition id.Partition
	asked     id.Offset // by the client
	most      int       // bytes that the client wants of this partition
	bytes     int       // of batches so far
	dry       bool      // the last answer held no batch: asking again without waiting is of no use
	giveUp    func()    // of the broker's newest fetch
	asks      int       // counts the broker's fetches, so that an older one's giveUp does not replace a newer one's
	answer    protocol.FetchedPartition
}

// fetchBytes is how many bytes of batches a fetch may return.
func (s *Session) fetchBytes(r *protocol.FetchRequest) int {
	return min(int(r.MaxBytes), s.limits.FetchBytes)
}

// responseBytes is what a fetch reserves for batches: one of them is returned however large.
func (s *Session) responseBytes(r *protocol.FetchRequest) int {
	return max(s.fetchBytes(r), s.limits.BatchBytes)
}

// fetch starts a fetch, whose response has its bytes reserved.
func (s *Session) fetch(c call, r *protocol.FetchRequest, seen sight) {
	f := &fetching{reserved: s.responseBytes(r), session: s, call: c, form: r.Form, maxBytes: s.fetchBytes(r), parts: make([]fetchPart, len(r.Partitions))}
	f.minBytes = min(int(r.MinBytes), f.maxBytes)
	if wait := min(int(r.WaitMillis), s.limits.WaitMillis); wait > 0 && f.minBytes > 0 && len(f.parts) > 0 {
		f.until = s.broker.Now() + id.Timestamp(wait)
	}
	f.first = s.fetches
	s.fetches++
	for n := range r.Partitions {
		i := f.turn(n)
		w, p := &r.Partitions[i], &f.parts[i]
		p.asked, p.most = w.Offset, f.maxBytes
		if w.MaxBytes > 0 {
			p.most = min(int(w.MaxBytes), f.maxBytes)
		}
		p.answer = protocol.FetchedPartition{
			Topic: w.Topic, TopicID: w.TopicID, Partition: w.Partition,
			LogStart: protocol.NoOffset, HighWatermark: protocol.NoOffset, NextOffset: w.Offset,
		}
		topic, err := seen.resolvePartition(w.Topic, w.TopicID, w.Partition)
		if err != nil {
			p.answer.Err = s.readRefusal(subjectPartition(w.Topic, w.Partition), err)
			continue
		}
		p.answer.TopicID = topic.ID
		p.partition = id.Partition{Topic: topic.ID, Number: w.Partition}
		f.queue = append(f.queue, i)
	}
	f.advance()
}

// turn returns which part is the n-th to be served. Each fetch of a session begins at another one, so that none starves
// behind those that fill the response.
func (f *fetching) turn(n int) int { return (n + f.first) % len(f.parts) }

// hasMore tells whether the partition holds committed records beyond those returned.
func (p *fetchPart) hasMore() bool {
	return p.answer.Err == nil && !p.dry && p.answer.NextOffset < p.answer.HighWatermark
}

// ask is one call of the broker, decided under the lock and made without it.
type ask struct {
	part    int
	number  int // fetchPart.asks
	p       id.Partition
	request partitions.Fetch
}

// advance makes the calls that are due, until nothing is due before another completion, and replies when all is done. Only
// one goroutine is in it at a time; completions that come meanwhile are seen by it.
func (f *fetching) advance() {
	for {
		f.mu.Lock()
		if f.launching {
			f.mu.Unlock()
			return
		}
		asks, done := f.due()
		f.launching = len(asks) > 0
		f.mu.Unlock()
		if done {
			f.reply()
			return
		}
		if len(asks) == 0 {
			return
		}
		for _, a := range asks {
			f.launch(a)
		}
		f.mu.Lock()
		f.launching = false
		f.mu.Unlock()
	}
}

func (f *fetching) launch(a ask) {
	giveUp := f.session.broker.Fetch(a.p, a.request, func(answer partitions.FetchAnswer) { f.answered(a.part, answer) })
	f.mu.Lock()
	p := &f.parts[a.part]
	if p.asks == a.number {
		p.giveUp = giveUp
	}
	ended := f.ended
	f.mu.Unlock()
	if ended {
		giveUp()
	}
}

// due decides what to ask next; done tells that the reply is complete, once.
func (f *fetching) due() (asks []ask, done bool) {
	if !f.waiting && f.outstanding == 0 {
		if len(f.queue) == 0 {
			f.nextPass()
		}
		if asks = f.window(); len(asks) > 0 {
			return asks, false
		}
		if f.ended = f.ended || f.until == 0 || f.enough(); !f.ended {
			asks = f.beginWait()
			return asks, f.refusal != nil
		}
	}
	if f.waiting && !f.ended {
		asks = f.window() // those that woke up, and are to wait for more
	}
	if len(asks) > 0 || f.outstanding > 0 || f.replied {
		return asks, false
	}
	f.ended, f.replied = true, true
	return nil, true
}

// nextPass queues the partitions that have more, if the response has room worth another pass.
func (f *fetching) nextPass() {
	if f.ended || f.maxBytes-f.total < max(f.maxBytes/8, 1) {
		return
	}
	for n := range f.parts {
		i := f.turn(n)
		if p := &f.parts[i]; p.asks > 0 && p.hasMore() && p.bytes < p.most {
			f.queue = append(f.queue, i)
		}
	}
}

// window takes parts off the queue and asks each for its share of the bytes that are left.
func (f *fetching) window() []ask {
	room := f.maxBytes - f.total
	if room <= 0 && f.total > 0 || len(f.queue) == 0 {
		f.queue = nil // the response is full: the rest is for the client's next fetch
		return nil
	}
	share := max(room/len(f.queue), 1)
	n := min(len(f.queue), fetchWindow)
	if f.waiting {
		n = len(f.queue)
	}
	asks := make([]ask, 0, n)
	for _, i := range f.queue[:n] {
		p := &f.parts[i]
		p.asks++
		request := partitions.Fetch{Offset: p.answer.NextOffset, MaxBytes: min(share, max(p.most-p.bytes, 1))}
		if f.waiting {
			request.Until = f.until
		}
		asks = append(asks, ask{part: i, number: p.asks, p: p.partition, request: request})
	}
	f.queue = f.queue[n:]
	f.outstanding += n
	return asks
}

// enough tells whether waiting would be wrong: min_bytes are there, a partition failed, or one has more than fits.
func (f *fetching) enough() bool {
	if f.total >= f.minBytes {
		return true
	}
	for i := range f.parts {
		if p := &f.parts[i]; p.answer.Err != nil || p.hasMore() {
			return true
		}
	}
	return false
}

// beginWait queues every partition and asks it to wait. Meanwhile the fetch holds only what it has read: the many that wait
// must not use up what the others need. If the session closes nobody waits; nor does this one where too many do, and then it
// is refused unless it has something.
func (f *fetching) beginWait() []ask {
	if err := f.session.park(f); err != nil {
		f.until = 0 // the last look, without waiting
		if refusal := (*protocol.Error)(nil); errors.As(err, &refusal) && f.total == 0 {
			f.refusal, f.ended, f.replied = refusal, true, true
			return nil
		}
	}
	f.call.hold.giveBack(f.reserved - f.total)
	f.reserved = f.total
	f.waiting = true
	for n := range f.parts {
		f.queue = append(f.queue, f.turn(n))
	}
	return f.window()
}

// answered takes what a partition had.
func (f *fetching) answered(part int, a partitions.FetchAnswer) {
	f.mu.Lock()
	f.outstanding--
	p := &f.parts[part]
	if !f.afford(a) {
		a.Batches = nil // the client's next fetch gets them
		f.ended, f.queue = true, nil
	}
	f.total += p.take(f.session, a)
	var waits []func()
	if f.waiting && !f.ended {
		if p.dry || f.enough() {
			f.ended = true
		} else {
			f.queue = append(f.queue, part)
		}
	}
	if f.ended {
		waits = f.takeWaits()
	}
	f.mu.Unlock()
	for _, giveUp := range waits {
		giveUp()
	}
	f.advance()
}

// afford reserves what an answer brings beyond what is reserved already: after a wait, or when partitions that were asked
// at the same time each brought more than their share.
func (f *fetching) afford(a partitions.FetchAnswer) bool {
	more := f.total - f.reserved
	for _, b := range a.Batches {
		more += len(b)
	}
	if more <= 0 || f.call.hold.try(more) {
		f.reserved += max(more, 0)
		return true
	}
	if f.total == 0 {
		f.refusal = f.session.exhausted()
	}
	return false
}

// take adds an answer to the part and returns how many bytes it brought. An error after something was read is left for the
// client's next fetch to meet.
func (p *fetchPart) take(s *Session, a partitions.FetchAnswer) (brought int) {
	err := a.Err
	var last batch.Header
	if n := len(a.Batches); (err == nil || a.Verified) && n > 0 {
		var broken error
		if last, broken = batch.ParseHeader(a.Batches[n-1]); broken != nil {
			err, a.Verified = fmt.Errorf("%w: %w", partitions.ErrDamaged, broken), false
		}
	}
	p.dry = err != nil || len(a.Batches) == 0
	if a.Verified && p.bytes == 0 {
		p.answer.Err = s.readRefusal(subjectPartition(p.answer.Topic, p.answer.Partition), err)
		p.dry = len(a.Batches) == 0
	} else if err != nil {
		if p.bytes == 0 {
			p.answer.Err = s.readRefusal(subjectPartition(p.answer.Topic, p.answer.Partition), err)
			if errors.Is(err, partitions.ErrOffsetOutOfRange) { // by what a leader knows, which may have been deposed
				p.answer.LogStart, p.answer.HighWatermark, p.answer.Term = a.LogStart, a.HighWatermark, a.Term
			}
		}
		return 0
	}
	p.answer.LogStart, p.answer.HighWatermark, p.answer.Term = a.LogStart, a.HighWatermark, a.Term
	if p.dry {
		p.answer.NextOffset = max(p.answer.NextOffset, a.Skip)
		return 0
	}
	for _, b := range a.Batches {
		brought += len(b)
	}
	p.answer.Batches = append(p.answer.Batches, a.Batches...)
	p.answer.NextOffset = max(p.answer.NextOffset, last.NextOffset())
	p.bytes += brought
	return brought
}

// giveUp ends the wait.
func (f *fetching) giveUp() {
	f.mu.Lock()
	f.ended = true
	waits := f.takeWaits()
	f.mu.Unlock()
	for _, giveUp := range waits {
		giveUp()
	}
}

// takeWaits returns the ways to give up all waits, once.
func (f *fetching) takeWaits() []func() {
	var waits []func()
	for i := range f.parts {
		if giveUp := f.parts[i].giveUp; giveUp != nil {
			waits = append(waits, giveUp)
			f.parts[i].giveUp = nil
		}
	}
	return waits
}

// reply hands over what was collected. Nobody else touches the fetch any more.
func (f *fetching) reply() {
	f.session.unpark(f)
	if f.refusal != nil && f.total == 0 {
		f.call.refuse(f.refusal)
		return
	}
	f.call.replyWith(f.response)
}
