package gateway

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

const (
	testNode    = id.Node(0xa1)
	testCluster = id.Cluster(0xc1)
	testStart   = id.Timestamp(1_700_000_000_000)
)

// fakeBroker is an honest broker in memory: the real fold of the catalog, and logs that append, park and wake as replicas
// do. Completions come at once, or, while it holds, when they are released.
type fakeBroker struct {
	mu        sync.Mutex
	now       id.Timestamp
	fold      *catalog.Fold
	offset    id.Offset // of the next catalog command
	logs      map[id.Partition]*fakeLog
	producer  id.Producer
	leads     map[id.Partition]id.Node
	failAll   error             // what CreateTopic, DeleteTopic and InitProducer answer, if set
	unheard   []catalog.Command // what this broker learns of the catalog with the next refresh
	behind    error             // what Refresh answers, if set
	refreshes int

	holding bool
	held    []func()
	calls   []string // every call to a partition, in order
	fetched []partitions.Fetch
}

type fakeLog struct {
	batches [][]byte
	start   id.Offset
	end     id.Offset
	parked  []*fakeFetch
	err     error // what every request answers, if set
}

type fakeFetch struct {
	request partitions.Fetch
	done    func(partitions.FetchAnswer)
}

func newFakeBroker(t testing.TB, topics ...catalog.CreateTopic) *fakeBroker {
	b := &fakeBroker{now: testStart, fold: catalog.NewFold(), logs: map[id.Partition]*fakeLog{}, producer: 4000}
	b.apply(catalog.Bootstrap{Cluster: testCluster, Node: testNode, At: testStart})
	for _, c := range topics {
		c.Placements, c.At = catalog.PlaceOn(c.Partitions, testNode), testStart
		if r := b.apply(c); r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	return b
}

// topic is a CreateTopic for newFakeBroker.
func topic(name string, partitions int32) catalog.CreateTopic {
	return catalog.CreateTopic{Name: id.Topic(name), Partitions: partitions}
}

func (b *fakeBroker) apply(c catalog.Command) catalog.Result {
	r := b.fold.Apply(b.offset, catalog.Batch(c, b.now)).(catalog.Result)
	b.offset++
	return r
}

func (b *fakeBroker) Catalog() *catalog.State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fold.State()
}

func (b *fakeBroker) Refresh(done func(error)) {
	b.mu.Lock()
	b.refreshes++
	b.mu.Unlock()
	b.complete(func() {
		b.mu.Lock()
		err := b.behind
		if err == nil {
			for _, c := range b.unheard {
				b.apply(c)
			}
			b.unheard = nil
		}
		b.mu.Unlock()
		done(err)
	})
}

func (b *fakeBroker) Cluster() partitions.ClusterView {
	return partitions.ClusterView{Cluster: testCluster, Self: testNode, Nodes: []partitions.NodeView{
		{Node: testNode, Gateway: "127.0.0.1:9642", Version: "1.2.3", Alive: true, Problems: []string{"t16/0 is slow"}},
		{Node: 0xb2, Gateway: "127.0.0.1:9742", Version: "1.2.3"},
	}}
}

func (b *fakeBroker) Now() id.Timestamp {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

// complete runs completions now, or keeps them while the broker holds. It is called without the lock.
func (b *fakeBroker) complete(completions ...func()) {
	b.mu.Lock()
	if b.holding {
		b.held = append(b.held, completions...)
		completions = nil
	}
	b.mu.Unlock()
	for _, c := range completions {
		c()
	}
}

// hold keeps completions back until release.
func (b *fakeBroker) hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.holding = true
}

// release runs what was held, the newest first: the gateway must not rely on an order.
func (b *fakeBroker) release() {
	b.mu.Lock()
	held := b.held
	b.holding, b.held = false, nil
	b.mu.Unlock()
	for i := len(held) - 1; i >= 0; i-- {
		held[i]()
	}
}

func (b *fakeBroker) CreateTopic(c catalog.CreateTopic, done func(*catalog.Topic, error)) {
	c.Placements = catalog.PlaceOn(c.Partitions, testNode)
	b.mu.Lock()
	r := catalog.Result{Err: b.failAll}
	if r.Err == nil {
		r = b.apply(c)
	}
	b.mu.Unlock()
	b.complete(func() { done(r.Topic, r.Err) })
}

func (b *fakeBroker) AlterTopic(c catalog.AlterTopic, done func(*catalog.Topic, error)) {
	b.mu.Lock()
	r := catalog.Result{Err: b.failAll}
	if r.Err == nil {
		r = b.apply(c)
	}
	b.mu.Unlock()
	b.complete(func() { done(r.Topic, r.Err) })
}

func (b *fakeBroker) Assign(c catalog.Assign, done func(*catalog.Topic, error)) {
	b.mu.Lock()
	r := catalog.Result{Err: b.failAll}
	if r.Err == nil {
		r = b.apply(c)
	}
	b.mu.Unlock()
	b.complete(func() { done(r.Topic, r.Err) })
}

// Plan holds back that the first topic's first partition moves.
func (b *fakeBroker) Plan(done func(partitions.MovePlan, error)) {
	b.mu.Lock()
	p := partitions.MovePlan{Away: []id.Node{0xb2}, Held: []partitions.Move{
		{Partition: id.Partition{Topic: 16}, Assigned: 3, From: []id.Node{testNode}, To: []id.Node{0xb2}, Why: "balance"},
		{Partition: id.Partition{Topic: 99}, Why: "deleted meanwhile"},
	}}
	err := b.failAll
	b.mu.Unlock()
	b.complete(func() { done(p, err) })
}

// Compare finds all replicas equal.
func (b *fakeBroker) Compare(p id.Partition, q partitions.Compare, done func(partitions.Comparison)) {
	b.mu.Lock()
	answer := partitions.Comparison{Err: b.failAll, From: max(q.From, 2), Through: 9, End: 9, Offset: -1}
	a, _ := b.fold.State().Assignment(p)
	for _, r := range a.Replicas {
		answer.Replicas = append(answer.Replicas, partitions.Compared{Placed: r, Verdict: partitions.VerdictEqual, Offset: -1})
	}
	b.mu.Unlock()
	b.complete(func() { done(answer) })
}

// Recover goes on with the replica on a node, or the first.
func (b *fakeBroker) Recover(p id.Partition, from id.Node, done func(*catalog.Topic, error)) {
	b.mu.Lock()
	r := catalog.Result{Err: b.failAll}
	if a, _ := b.fold.State().Assignment(p); r.Err == nil {
		c := catalog.Recover{Partition: p, If: a.Version, At: 5}
		for _, own := range a.Replicas {
			if from == 0 || own.Node == from {
				c.Survivor = own.Replica
			}
		}
		r = b.apply(c)
	}
	b.mu.Unlock()
	b.complete(func() { done(r.Topic, r.Err) })
}

// Leader tells that this broker leads everything in term 7, but what leads says.
func (b *fakeBroker) Leader(p id.Partition) (id.Node, id.Term) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n, ok := b.leads[p]; ok {
		return n, 8
	}
	return testNode, 7
}

func (b *fakeBroker) DeleteTopic(t id.TopicID, done func(error)) {
	b.mu.Lock()
	err := b.failAll
	if err == nil {
		err = b.apply(catalog.DeleteTopic{Topic: t}).Err
	}
	b.mu.Unlock()
	b.complete(func() { done(err) })
}

func (b *fakeBroker) Drain(c catalog.Drain, done func(error)) { b.conclude(c, done) }

func (b *fakeBroker) Dismiss(c catalog.Dismiss, done func(error)) { b.conclude(c, done) }

func (b *fakeBroker) conclude(c catalog.Command, done func(error)) {
	b.mu.Lock()
	err := b.failAll
	if err == nil {
		err = b.apply(c).Err
	}
	b.mu.Unlock()
	b.complete(func() { done(err) })
}

func (b *fakeBroker) InitProducer(done func(id.Producer, int16, error)) {
	b.mu.Lock()
	b.producer++
	p, err := b.producer, b.failAll
	b.mu.Unlock()
	b.complete(func() { done(p, 0, err) })
}

// log returns a partition's log. The caller holds the lock.
func (b *fakeBroker) log(p id.Partition) *fakeLog {
	if b.logs[p] == nil {
		b.logs[p] = &fakeLog{}
	}
	return b.logs[p]
}

// fail makes every request to a partition answer err.
func (b *fakeBroker) fail(p id.Partition, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.log(p).err = err
}

func (b *fakeBroker) Produce(p id.Partition, r partitions.Produce, done func(partitions.ProduceAnswer)) {
	b.mu.Lock()
	b.calls = append(b.calls, fmt.Sprintf("produce %v", p))
	l := b.log(p)
	a := partitions.ProduceAnswer{Err: l.err}
	var woken []func()
	switch {
	case a.Err != nil:
	case r.ExpectEnd != partitions.NoExpectation && r.ExpectEnd != l.end:
		a.Err = fmt.Errorf("replica says: %w", &partitions.RangeError{Err: partitions.ErrOffsetMismatch, Asked: r.ExpectEnd, LogStart: l.start, LogEnd: l.end})
	default:
		a.Base, a.AppendTime = l.append(r.Batch), -1
		a.LogStart, a.HighWatermark, a.Term = l.start, l.end, 7
		woken = l.wake(func(f *fakeFetch) bool { return f.request.Offset < l.end })
	}
	b.mu.Unlock()
	b.complete(append(woken, func() { done(a) })...)
}

func (l *fakeLog) append(data []byte) id.Offset {
	data = bytes.Clone(data)
	base := l.end
	batch.Stamp(data, base, 7)
	h, err := batch.Verify(data)
	if err != nil {
		panic(err)
	}
	l.batches = append(l.batches, data)
	l.end = h.NextOffset()
	return base
}

// wake unparks the fetches that f holds for and returns their completions.
func (l *fakeLog) wake(f func(*fakeFetch) bool) []func() {
	var completions []func()
	kept := l.parked[:0:0]
	for _, w := range l.parked {
		if !f(w) {
			kept = append(kept, w)
			continue
		}
		a := l.read(w.request)
		completions = append(completions, func() { w.done(a) })
	}
	l.parked = kept
	return completions
}

func (l *fakeLog) read(f partitions.Fetch) partitions.FetchAnswer {
	a := partitions.FetchAnswer{Err: l.err}
	if l.err != nil {
		return a
	}
	a.LogStart, a.HighWatermark, a.Term = l.start, l.end, 7
	if f.Offset < l.start || f.Offset > l.end {
		a.Err = &partitions.RangeError{Err: partitions.ErrOffsetOutOfRange, Asked: f.Offset, LogStart: l.start, LogEnd: l.end}
		return a
	}
	size := 0
	for _, b := range l.batches {
		h, err := batch.ParseHeader(b)
		if err != nil {
			panic(err)
		}
		if h.NextOffset() <= f.Offset {
			continue
		}
		if size += len(b); size > f.MaxBytes && len(a.Batches) > 0 {
			break
		}
		a.Batches = append(a.Batches, b)
	}
	if len(a.Batches) == 0 && f.Offset < l.end {
		a.Skip = l.end // what was there was lost
	}
	return a
}

func (b *fakeBroker) Fetch(p id.Partition, r partitions.Fetch, done func(partitions.FetchAnswer)) func() {
	b.mu.Lock()
	b.calls = append(b.calls, fmt.Sprintf("fetch %v", p))
	b.fetched = append(b.fetched, r)
	l := b.log(p)
	if l.err != nil || r.Offset != l.end || r.Until <= b.now {
		a := l.read(r)
		b.mu.Unlock()
		b.complete(func() { done(a) })
		return func() {}
	}
	w := &fakeFetch{request: r, done: done}
	l.parked = append(l.parked, w)
	b.mu.Unlock()
	return func() {
		b.mu.Lock()
		completions := l.wake(func(f *fakeFetch) bool { return f == w })
		b.mu.Unlock()
		b.complete(completions...)
	}
}

// advance moves the clock and ends waits whose time is over.
func (b *fakeBroker) advance(ms int) {
	b.mu.Lock()
	b.now += id.Timestamp(ms)
	var completions []func()
	for _, l := range b.logs {
		completions = append(completions, l.wake(func(f *fakeFetch) bool { return f.request.Until <= b.now })...)
	}
	b.mu.Unlock()
	b.complete(completions...)
}

// parked counts the fetches that wait.
func (b *fakeBroker) parked() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, l := range b.logs {
		n += len(l.parked)
	}
	return n
}

func (b *fakeBroker) ListOffsets(p id.Partition, r partitions.ListOffsets, done func(partitions.OffsetAnswer)) {
	b.mu.Lock()
	l := b.log(p)
	a := partitions.OffsetAnswer{Err: l.err, Time: -1, LogStart: l.start, HighWatermark: l.end, Term: 7}
	switch r.At {
	case partitions.OffsetEarliest:
		a.Offset = l.start
	case partitions.OffsetLatest:
		a.Offset = l.end
	case partitions.OffsetAtTime:
		a.Offset = l.end
		for _, data := range l.batches {
			if h, err := batch.ParseHeader(data); err == nil && h.MaxTimestamp >= r.Time {
				a.Offset, a.Time = h.BaseOffset, h.MaxTimestamp
				break
			}
		}
	}
	b.mu.Unlock()
	b.complete(func() { done(a) })
}

func (b *fakeBroker) DeleteRecords(p id.Partition, r partitions.DeleteRecords, done func(partitions.DeleteAnswer)) {
	b.mu.Lock()
	l := b.log(p)
	before := r.Before
	if before == partitions.EverythingSoFar {
		before = l.end
	}
	a := partitions.DeleteAnswer{Err: l.err, Term: 7}
	if a.Err == nil && before > l.end {
		a.Err = &partitions.RangeError{Err: partitions.ErrOffsetOutOfRange, Asked: before, LogStart: l.start, LogEnd: l.end}
	}
	if a.Err == nil {
		l.start = max(l.start, before)
	}
	a.LogStart, a.HighWatermark = l.start, l.end
	b.mu.Unlock()
	b.complete(func() { done(a) })
}

func (b *fakeBroker) Describe(p id.Partition, done func(partitions.Status)) {
	b.mu.Lock()
	l := b.log(p)
	a, _ := b.fold.State().Assignment(p)
	own := a.Replicas[0].Replica
	st := partitions.Status{
		Partition: p, Replica: own, Node: testNode, Role: partitions.RoleLeader, Term: 7, Leader: own, LeaderNode: testNode, Ready: true, Last: 9, Settled: true, LogStart: l.start, HighWatermark: l.end,
		Log: partitions.LogSize{Bytes: 100, Segments: 2}, Voters: a.Replicas[:1:1],
	}
	if l.err != nil {
		st.Role, st.Ready, st.Leader, st.LeaderNode, st.Problem = partitions.RoleStopped, false, 0, 0, l.err.Error()
		st.Voters, st.Settled = nil, false
	}
	b.mu.Unlock()
	b.complete(func() { done(st) })
}
