package actors

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"troupe/partitions"
	"troupe/partitions/id"
)

// compareBytes of payload, or one entry, are read by each replica for one answer.
const compareBytes = 4 << 20

// Compare has a piece of the logs of a partition's replicas compared: each broker sums up what it has of the same entries, off
// the partition's actor, and the sums are held together here. Where they differ the first entry that does is looked for.
// Whoever asks goes on behind the piece, as fast as it likes: nothing goes on by itself, and nothing is remembered.
//
// Errors: partitions.ErrUnknownTopic. A replica that cannot be compared says why.
func (r *Router) Compare(p id.Partition, q partitions.Compare, done func(partitions.Comparison)) {
	a, found := r.Catalog().Assignment(p)
	if !found {
		done(partitions.Comparison{Err: unknown(p)})
		return
	}
	c := &comparing{router: r, partition: p, asked: q, placed: a.Replicas, done: done}
	c.survey()
}

// comparing is one such comparison: how are the replicas, then what are their sums, then, where these differ, in halves.
//
//	survey ──► first ──► rest ──► halve ... ──► end
//
// Invariants: left answers are to come, each once; what comes of a step is looked at when all of it is there.
type comparing struct {
	router    *Router
	partition id.Partition
	asked     partitions.Compare
	placed    []partitions.Placed
	done      func(partitions.Comparison)
	again     bool // the survey was made once more, since a log's front was dropped meanwhile

	answer  partitions.Comparison
	fit     []int               // of placed: those that are compared
	digests []partitions.Digest // of fit
	lo, mid id.Index            // what is being summed up, inclusive
	hi      id.Index            // the first entry that differs lies between lo and here; 0: it is not known that one does

	mu   sync.Mutex
	left int
}

// await has then called when n answers have come.
func (c *comparing) await(n int, then func()) (arrived func()) {
	c.mu.Lock()
	c.left = n
	c.mu.Unlock()
	return func() {
		c.mu.Lock()
		c.left--
		last := c.left == 0
		c.mu.Unlock()
		if last {
			then()
		}
	}
}

// pose asks the broker of a replica about it.
func (c *comparing) pose(p partitions.Placed, q forwarded) {
	r := c.router
	if p.Node != r.stage.node {
		r.stage.peers.to(p.Node).pose(c.partition, q)
		return
	}
	a := r.find(c.partition)
	if a == nil {
		q.refuse(errors.New("it does not run here"))
		return
	}
	q.renumber(a.next())
	a.ask(q)
}

// survey asks how the replicas are.
func (c *comparing) survey() {
	c.answer = partitions.Comparison{Offset: -1, Replicas: make([]partitions.Compared, len(c.placed))}
	all := make([]partitions.Status, len(c.placed))
	arrived := c.await(len(c.placed), func() { c.surveyed(all) })
	for i, p := range c.placed {
		c.answer.Replicas[i] = partitions.Compared{Placed: p, Offset: -1}
		c.pose(p, inquiry(c.partition, p, func(s partitions.Status) {
			all[i] = s
			arrived()
		}))
	}
}

// surveyed decides what is to be compared, and who takes part.
func (c *comparing) surveyed(all []partitions.Status) {
	c.fit = nil
	var fit []partitions.Status
	for i, s := range all {
		switch {
		case s.Role == partitions.RoleStopped && !c.router.stage.linked(c.placed[i].Node):
			c.leave(i, "its broker cannot be reached")
		case s.Role == partitions.RoleStopped || s.Role == partitions.RoleQuarantined:
			c.leave(i, s.Problem)
		case s.Applied == 0:
			c.leave(i, "it has nothing yet")
		default:
			c.fit, fit = append(c.fit, i), append(fit, s)
		}
	}
	a := &c.answer
	first, applied, start, watermark := partitions.Common(fit)
	a.LogStart, a.HighWatermark = start, watermark
	a.From, a.End = max(first, c.asked.From), applied
	if c.asked.End != 0 {
		a.End = c.asked.End
	}
	a.Through = a.End
	switch {
	case len(fit) < 2:
		c.leaveAll("there is no other to compare it with")
	case first > applied:
		c.leaveAll(fmt.Sprintf("the replicas have no entry in common: one begins at %d, one has up to %d", first, applied))
	case a.End > applied:
		c.leaveAll(fmt.Sprintf("entry %d was there, and now one has up to %d", a.End, applied))
	case a.From <= a.End:
		c.first()
		return
	}
	c.done(c.answer)
}

// leave counts a replica out.
func (c *comparing) leave(i int, reason string) {
	c.answer.Replicas[i].Verdict, c.answer.Replicas[i].Reason = partitions.VerdictUncompared, reason
}

func (c *comparing) leaveAll(reason string) {
	for _, i := range c.fit {
		c.leave(i, reason)
	}
	c.fit = nil
}

// first has one replica sum up a piece: where it ends is where the others' is to end.
func (c *comparing) first() {
	c.digests, c.lo, c.hi = make([]partitions.Digest, len(c.fit)), c.answer.From, 0
	c.sum(0, c.answer.End, compareBytes, c.await(1, func() {
		switch d := c.digests[0]; {
		case d.Err != nil:
			c.fail()
		default:
			c.answer.Through, c.answer.Offset, c.answer.Bytes = d.Through, d.Offset, d.Bytes
			c.mid = d.Through
			c.rest(1)
		}
	}))
}

// rest has the replicas from the n-th on sum up the same.
func (c *comparing) rest(n int) {
	arrived := c.await(len(c.fit)-n, c.judge)
	for i := n; i < len(c.fit); i++ {
		c.sum(i, c.mid, 0, arrived)
	}
}

func (c *comparing) sum(i int, through id.Index, most uint32, arrived func()) {
	c.pose(c.placed[c.fit[i]], &digestRequest{lo: c.lo, hi: through + 1, most: most, done: func(d partitions.Digest) {
		c.digests[i] = d
		arrived()
	}})
}

// fail counts those out that could not sum up, and begins anew with the others. Where the front of a log was dropped
// meanwhile, what is in common is looked at once more.
func (c *comparing) fail() {
	failed := map[int]string{}
	for n, d := range c.digests {
		if errors.Is(d.Err, partitions.ErrOffsetOutOfRange) && !c.again {
			c.again = true
			c.survey()
			return
		}
		if d.Err != nil {
			failed[c.fit[n]] = d.Err.Error()
		}
	}
	for i, reason := range failed {
		c.leave(i, reason)
	}
	c.fit = slices.DeleteFunc(c.fit, func(i int) bool { return failed[i] != "" })
	if len(c.fit) < 2 {
		c.leaveAll("there is no other to compare it with")
		c.done(c.answer)
		return
	}
	c.first()
}

// judge looks at the sums over lo to mid: of the whole piece at first, then of one half of what differs, until it is one entry.
func (c *comparing) judge() {
	if slices.ContainsFunc(c.digests, func(d partitions.Digest) bool { return d.Err != nil }) {
		c.fail()
		return
	}
	switch differs, same := partitions.Judge(c.digests); {
	case same && (c.hi == 0 || c.mid == c.hi): // or it was mended in this moment
		c.end(differs)
		return
	case !same && c.lo == c.mid:
		c.end(differs)
		return
	case same:
		c.lo = c.mid + 1
	default:
		c.hi = c.mid
	}
	c.mid = c.lo + (c.hi-c.lo)/2
	c.rest(0)
}

// end says of each who took part whether it differs, in the entry at mid.
func (c *comparing) end(differs []bool) {
	for n, i := range c.fit {
		r := &c.answer.Replicas[i]
		r.Verdict = partitions.VerdictEqual
		if differs[n] {
			r.Verdict, r.Index, r.Offset = partitions.VerdictDiffers, c.mid, c.digests[n].Offset
			c.answer.Through = c.mid
		}
	}
	c.done(c.answer)
}
