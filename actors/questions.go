package actors

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// questions are the requests that one other broker has sent here.
//
// Invariant: of one life of the other broker each number is let in once, and only if it is above all before it: a frame that
// comes twice, or long after its link, does nothing.
type questions struct {
	mu     sync.Mutex
	life   uint64
	last   uint64            // the highest number of that life
	parked map[uint64]func() // by number: ends the wait
}

// admit tells whether a request is new.
func (q *questions) admit(one question) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if one.life < q.life || one.life == q.life && one.number <= q.last {
		return false
	}
	q.life, q.last = one.life, one.number
	return true
}

// park remembers how the wait of a request is ended, until answered is called.
func (q *questions) park(number uint64, giveUp func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.parked == nil {
		q.parked = map[uint64]func(){}
	}
	q.parked[number] = giveUp
}

func (q *questions) answered(number uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.parked, number)
}

// end ends the wait of a request; one that does not wait any more is no error.
func (q *questions) end(number uint64) {
	q.mu.Lock()
	giveUp := q.parked[number]
	q.mu.Unlock()
	if giveUp != nil {
		giveUp()
	}
}

// abandon ends every wait: nobody hears the answers.
func (q *questions) abandon() {
	q.mu.Lock()
	var all []func()
	for _, number := range slices.Sorted(maps.Keys(q.parked)) {
		all = append(all, q.parked[number])
	}
	q.mu.Unlock()
	for _, giveUp := range all {
		giveUp()
	}
}

// serve answers a request of another broker from what is here: it is never forwarded again.
func (n *Node) serve(from *peer, r frameReader) error {
	q, err := r.question()
	if err != nil || !from.questions.admit(q) {
		return err
	}
	a := n.router.find(q.partition)
	if q.what == askFold {
		from.reply(q, n.fold(q))
		return r.end("fold")
	}
	if a == nil {
		from.reply(q, q.refused(n.elsewhere(q.partition)))
		return nil
	}
	switch q.what {
	case askProduce:
		p, err := r.produce()
		if err != nil {
			return err
		}
		p.Request = a.next()
		a.ask(&produceRequest{Produce: p, done: func(a partitions.ProduceAnswer) { from.reply(q, q.produced(a)) }})
	case askFetch:
		return n.serveFetch(from, q, a, r)
	case askOffsets:
		l, err := r.listOffsets()
		if err != nil {
			return err
		}
		l.Request = a.next()
		a.ask(&offsetsRequest{ListOffsets: l, done: func(a partitions.OffsetAnswer) { from.reply(q, q.listed(a)) }})
	case askDelete:
		d, err := r.deleteRecords()
		if err != nil {
			return err
		}
		d.Request = a.next()
		a.ask(&deleteRequest{DeleteRecords: d, done: func(a partitions.DeleteAnswer) { from.reply(q, q.deleted(a)) }})
	case askDescribe:
		a.ask(&describeRequest{request: a.next(), partition: a.partition, replica: a.replica, done: func(s partitions.Status) { from.reply(q, q.described(s)) }})
	case askEntries:
		lo, hi, err := r.wanted()
		if err != nil {
			return err
		}
		a.ask(&entriesRequest{lo: lo, hi: hi, done: func(entries []partitions.Entry, err error) { from.reply(q, q.supplied(entries, err)) }})
	case askDigest:
		d, err := r.digest()
		if err != nil {
			return err
		}
		d.done = func(d partitions.Digest) { from.reply(q, q.digested(d)) }
		d.told = a.next()
		a.ask(d)
	default:
		return fmt.Errorf("request %d: %w", q.what, partitions.ErrMalformed)
	}
	return nil
}

func (n *Node) serveFetch(from *peer, q question, a *address, r frameReader) error {
	f, err := r.fetch(n.stage.seams.Clock.Now())
	if err != nil {
		return err
	}
	f.Request = a.next()
	// Before it is asked: its answer may come before ask returns.
	from.questions.park(q.number, func() { _ = a.door.pass(giveUp{fetch: f.Request}) })
	a.ask(&fetchRequest{Fetch: f, done: func(answer partitions.FetchAnswer) {
		from.questions.answered(q.number)
		from.reply(q, q.fetched(answer))
	}})
	return nil
}

// elsewhere is what is said of a partition that is not here: who is asked may know better, or have heard of it later.
func (n *Node) elsewhere(p id.Partition) error {
	if leader, term := n.stage.leaders.leader(p); leader != 0 && leader != n.stage.node {
		return fmt.Errorf("broker %v: %w", n.stage.node, &partitions.NotLeaderError{Leader: leader, Term: term})
	}
	return fmt.Errorf("%v is not on broker %v, or not yet: %w", p, n.stage.node, partitions.ErrNotReady)
}

// fold answers with the whole state of the catalog, as far as it is known here.
func (n *Node) fold(q question) []byte {
	state := n.board.fold.Load()
	if state == nil || state.Cluster == 0 {
		return q.folded(nil, n.elsewhere(catalog.Partition()))
	}
	return q.folded(state.Snapshot(), nil)
}

// refused makes an answer that holds nothing but an error.
func (q question) refused(err error) []byte {
	switch q.what {
	case askProduce:
		return q.produced(partitions.ProduceAnswer{Err: err, Base: -1, AppendTime: -1})
	case askFetch:
		return q.fetched(partitions.FetchAnswer{Err: err})
	case askOffsets:
		return q.listed(partitions.OffsetAnswer{Err: err, Time: -1})
	case askDelete:
		return q.deleted(partitions.DeleteAnswer{Err: err})
	case askDescribe:
		return q.undescribed(err)
	case askEntries:
		return q.supplied(nil, err)
	case askDigest:
		return q.digested(partitions.Digest{Err: err, Offset: -1})
	}
	return q.folded(nil, err)
}

// reply sends an answer. Where too much waits for the link already, a large one is not sent, and says so.
func (p *peer) reply(q question, frame []byte) {
	if len(frame) < smallReply {
		p.pass(reply{frame})
		return
	}
	if !p.post(reply{frame}) {
		p.pass(reply{q.refused(fmt.Errorf("too much waits for the link of broker %v: %w", p.stage.node, partitions.ErrThrottled))})
	}
}

// smallReply is the size of an answer that is sent whatever waits for the link: who asks has bounded how many there are.
const smallReply = 4 << 10
