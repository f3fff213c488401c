package partitions

import (
	"fmt"
	"sort"

	pb "go.etcd.io/raft/v3/raftpb"

	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// tail is the end of the log in memory: everything not yet applied, and a bounded amount more for fetches that follow
// closely. Its entries share the memory that raft holds; each counts as what it keeps alive.
//
// Invariants: the indices of items are consecutive from first; evicted items lie at or below the applied index; bytes is
// the sum of the payloads; offsets rise along items.
type tail struct {
	first id.Index // of items[0]; the next index when there are none
	items []tailItem
	bytes int
	limit int
	next  id.Offset // the offset after the last item; noOffset before the first batch
}

// noOffset stands beside entries that came before the first batch the tail has seen.
const noOffset id.Offset = -1

// tailItem is an entry in the form raft wants and in the form that fetches want.
type tailItem struct {
	raft *pb.Entry
	// payload of a batch; nil for entries without records
	payload    []byte
	base, next id.Offset // next = base where there are no records, but for a gap
}

func newTail(first id.Index, limit int) tail {
	return tail{first: first, limit: limit, next: noOffset}
}

// push appends the entry after the last.
func (t *tail) push(e Entry, raft *pb.Entry) {
	if want := t.first + id.Index(len(t.items)); e.Index != want {
		panic(&InvariantError{"the tail grows by consecutive entries", e.Index, want})
	}
	item := tailItem{raft: raft, base: t.next, next: t.next}
	switch e.Type {
	case EntryBatch:
		h, err := batch.ParseHeader(e.Payload)
		if err != nil {
			panic(&InvariantError{fmt.Sprintf("entry %d holds a whole batch", e.Index), err, nil})
		}
		item.payload, item.base, item.next = e.Payload, h.BaseOffset, h.NextOffset()
	case EntryGap:
		if g, err := ParseGap(e.Payload); err == nil {
			item.base, item.next = g.First, g.Next
		}
	}
	t.items = append(t.items, item)
	t.bytes += len(item.payload)
	t.next = item.next
}

// cut drops everything from an index on: another leader's entries take its place. What lies in front of the tail after a
// restart may be cut too.
func (t *tail) cut(from id.Index) {
	if from <= t.first {
		*t = newTail(from, t.limit)
		return
	}
	for keep := int(from - t.first); len(t.items) > keep; {
		last := len(t.items) - 1
		t.bytes -= len(t.items[last].payload)
		t.next = t.items[last].base
		t.items[last] = tailItem{}
		t.items = t.items[:last]
	}
}

// evict forgets the oldest applied entries above the limit. One is always kept, so that a follower of the end is served
// from memory however large its batches are.
func (t *tail) evict(applied id.Index) {
	drop := 0
	for t.bytes > t.limit && drop < len(t.items)-1 && t.first+id.Index(drop) <= applied {
		t.bytes -= len(t.items[drop].payload)
		t.items[drop] = tailItem{}
		drop++
	}
	t.items = t.items[drop:]
	t.first += id.Index(drop)
}

// rest forgets every applied entry.
func (t *tail) rest(applied id.Index) {
	drop := min(len(t.items), int(applied+1-min(t.first, applied+1)))
	for _, item := range t.items[:drop] {
		t.bytes -= len(item.payload)
	}
	t.items = append([]tailItem(nil), t.items[drop:]...)
	t.first += id.Index(drop)
}

// raftEntries returns the entries from lo to below hi, at least one, as many as fit into maxSize.
func (t *tail) raftEntries(lo, hi id.Index, maxSize uint64) []*pb.Entry {
	var out []*pb.Entry
	var size uint64
	for _, item := range t.items[lo-t.first : hi-t.first] {
		size += uint64(len(item.raft.Data))
		if len(out) > 0 && size > maxSize {
			break
		}
		out = append(out, item.raft)
	}
	return out
}

// batches returns the batches from the one that holds offset from on, that end at or below until, at least one, as many as
// fit into maxBytes; ok is false when the first of them is no longer here.
func (t *tail) batches(from, until id.Offset, maxBytes int) (out [][]byte, ok bool) {
	oldest := 0
	for oldest < len(t.items) && t.items[oldest].payload == nil {
		oldest++
	}
	if oldest == len(t.items) || from < t.items[oldest].base {
		return nil, false
	}
	at := sort.Search(len(t.items), func(i int) bool { return t.items[i].next > from })
	size := 0
	for _, item := range t.items[at:] {
		if item.next > until {
			break
		}
		if item.payload == nil {
			continue
		}
		if size += len(item.payload); size > maxBytes && len(out) > 0 {
			break
		}
		out = append(out, item.payload)
	}
	return out, true
}

func (t *tail) check() {
	size, next := 0, noOffset
	for i, item := range t.items {
		if got, want := id.Index(item.raft.GetIndex()), t.first+id.Index(i); got != want {
			panic(&InvariantError{"the tail's indices are consecutive", got, want})
		}
		if item.base < next {
			panic(&InvariantError{"the tail's offsets rise", item.base, next})
		}
		size, next = size+len(item.payload), item.next
	}
	if size != t.bytes {
		panic(&InvariantError{"the tail counts its bytes", t.bytes, size})
	}
}
