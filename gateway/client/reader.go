package client

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

// reader fetches ahead for every partition that is being read. One goroutine decides; each fetch has a goroutine of its own,
// so that a broker that is slow or away holds up only its partitions. A partition is in one fetch at a time.
type reader struct {
	client   *Client
	wake     chan struct{} // capacity 1
	decoders sync.Pool     // of *decoder

	mu       sync.Mutex
	readings []*reading    // in the order of Consume
	rounds   uint64        // fetches that brought something
	more     chan struct{} // closed, and replaced, when there is something new to collect
	started  bool
}

func newReader(c *Client) *reader {
	return &reader{client: c, wake: make(chan struct{}, 1), more: make(chan struct{}),
		decoders: sync.Pool{New: func() any { return new(decoder) }}}
}

// read begins to read partitions; it returns false after Close.
func (r *reader) read(t *topic, numbers []int32, offsets []id.Offset) bool {
	r.forget(t.name, numbers)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.started {
		if !r.client.run(r.run) {
			return false
		}
		r.started = true
	}
	for i, number := range numbers {
		r.readings = append(r.readings, &reading{topic: t, number: number, next: offsets[i],
			ready: Fetched{LogStart: NoOffset, HighWatermark: NoOffset}})
	}
	r.nudge()
	return true
}

func (r *reader) forget(topic string, numbers []int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.readings = slices.DeleteFunc(r.readings, func(x *reading) bool {
		return x.topic.name == topic && (len(numbers) == 0 || slices.Contains(numbers, x.number))
	})
}

// collect returns what is ready, and a channel that is closed when there is more.
func (r *reader) collect() ([]Fetched, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var partitions []Fetched
	for _, x := range r.readings {
		if f, ok := x.polled(); ok {
			partitions = append(partitions, f)
		}
	}
	if len(partitions) > 0 {
		r.nudge()
	}
	return partitions, r.more
}

func (r *reader) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// run decides what to fetch until the client is closed.
func (r *reader) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		groups, next := r.plan(time.Now())
		for to, group := range groups {
			r.client.run(func() { r.fetch(to.address, group) })
		}
		if next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(next))
		}
		select {
		case <-r.wake:
		case <-timer.C:
		case <-r.client.closing.Done():
			return
		}
	}
}

// route is where a group of partitions is fetched from. Each broker has several ways, with the same partitions on each, as a
// rule: while the answer on one is decoded and polled, the broker reads for another.
type route struct {
	address string
	way     int32
}

// fetchWays is how many ways a broker has: one lets broker and client wait for each other in turn, and more than a few only
// make answers smaller.
const fetchWays = 3

// plan groups the partitions that should be fetched by their route and marks them busy.
func (r *reader) plan(now time.Time) (groups map[route][]*reading, next time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	groups = make(map[route][]*reading)
	for _, x := range r.readings {
		due, later := x.due(now, r.client.settings.fetchBytes)
		if !due {
			if !later.IsZero() && (next.IsZero() || later.Before(next)) {
				next = later
			}
			continue
		}
		to := route{x.topic.leader(x.number), x.number % fetchWays}
		if len(groups[to]) < protocol.MaxPartitions {
			x.busy = true
			groups[to] = append(groups[to], x)
		} else {
			r.nudge() // the next plan takes it
		}
	}
	for _, group := range groups {
		// A broker fills an answer from the front: those served longest ago come first.
		slices.SortStableFunc(group, func(a, b *reading) int { return cmp.Compare(a.served, b.served) })
	}
	return groups, next
}

// fetch asks one broker for a group of partitions and hands out the answer.
func (r *reader) fetch(address string, group []*reading) {
	request := r.request(group)
	answer := new(protocol.FetchResponse)
	err := r.client.cluster.request(r.client.closing, forFetch, address, request, answer)
	if err == nil && len(answer.Partitions) != len(group) {
		err = protocol.NewError(protocol.CodeInternal, "asked for %d partitions, told of %d", len(group), len(answer.Partitions))
	}
	if err != nil {
		r.failed(group, err)
		return
	}
	harvests := make([]harvest, len(group))
	d := r.decoders.Get().(*decoder)
	for i := range group {
		harvests[i] = d.decode(&answer.Partitions[i], request.Partitions[i].Offset)
	}
	r.decoders.Put(d)

	now, news, reroute := time.Now(), false, map[string]struct{}{}
	r.mu.Lock()
	r.rounds++
	for i, x := range group {
		x.busy = false
		if harvests[i].bytes > 0 {
			x.served = r.rounds
		}
		p := &answer.Partitions[i]
		fresh, elsewhere := x.take(p, harvests[i], now)
		news = news || fresh
		if x.topic.heed(x.number, p.Term, asError(p.Err)) || elsewhere {
			reroute[x.topic.name] = struct{}{}
		}
	}
	r.tell(news)
	r.mu.Unlock()
	for name := range reroute {
		r.client.topics.refresh(name)
	}
	r.nudge()
}

// asError is a refusal as an error: nil stays nil.
func asError(e *protocol.Error) error {
	if e == nil {
		return nil
	}
	return e
}

func (r *reader) request(group []*reading) *protocol.FetchRequest {
	s := &r.client.settings
	// A broker reserves this much for as long as the fetch waits, and reads no further requests once a connection's budget is
	// used up: asking for more than the partitions may bring would stall those that are fetched apart from them.
	most := min(fetchFrameBytes, len(group)*s.fetchBytes)
	request := &protocol.FetchRequest{MinBytes: 1, MaxBytes: int32(most), WaitMillis: int32(s.fetchWait.Milliseconds())}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range group {
		request.Partitions = append(request.Partitions, protocol.FetchPartition{
			Topic: x.topic.name, TopicID: x.topic.id, Partition: x.number, Offset: x.next, MaxBytes: int32(s.fetchBytes),
		})
	}
	return request
}

// fetchFrameBytes bounds the batches of one answer, which must fit a frame.
const fetchFrameBytes = 4 << 20

// failed lets a group wait after a fetch without an answer. Only a refusal of the whole fetch is told: everything else
// mends itself, or the broker is away and the records come when it is back.
func (r *reader) failed(group []*reading, err error) {
	now := time.Now()
	r.mu.Lock()
	told := false
	for _, x := range group {
		x.busy = false
		x.postpone(now, err)
		if refused(err) {
			x.stopped, told = true, true
			x.ready.Err = explain("fetch "+x.topic.name, err)
		}
	}
	r.tell(told)
	r.mu.Unlock()
	for _, x := range group {
		r.client.topics.refresh(x.topic.name)
	}
	r.nudge()
}

// tell wakes those who wait in Poll. r.mu is held.
func (r *reader) tell(news bool) {
	if news {
		close(r.more)
		r.more = make(chan struct{})
	}
}
