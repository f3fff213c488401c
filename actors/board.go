package actors

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// board is what a broker's catalog publishes for everyone to read without waiting.
type board struct {
	// view is written by the catalog's actor alone. Never nil.
	view atomic.Pointer[view]
	// fold is the newest state known here: what the catalog's own replica has applied or, where there is none, what its
	// leader has told. It may be ahead of view.state, and nil before the catalog opened.
	fold atomic.Pointer[catalog.State]
	// problem is why the catalog does not move; nil while it does.
	problem atomic.Pointer[string]
	// strays is which replicas are held here that the catalog does not know; nil: none.
	strays atomic.Pointer[string]
}

// view is an immutable routing table with the state it was made from.
type view struct {
	state *catalog.State
	table map[id.Partition]*address
	order []*address // the table's, ordered by partition
}

func newBoard() *board {
	b := &board{}
	b.view.Store(newView(catalog.NewFold().State(), nil))
	return b
}

func newView(state *catalog.State, table map[id.Partition]*address) *view {
	order := slices.SortedFunc(maps.Values(table), func(a, b *address) int {
		return cmp.Or(cmp.Compare(a.partition.Topic, b.partition.Topic), cmp.Compare(a.partition.Number, b.partition.Number))
	})
	return &view{state: state, table: table, order: order}
}

// observe takes what the catalog's replica has applied, or what another broker's has, and tells whether it is news. After a
// restart the replica applies again what it had applied before: that is none.
func (b *board) observe(state *catalog.State) bool {
	for {
		last := b.fold.Load()
		if last != nil && last.Version >= state.Version {
			return false
		}
		if b.fold.CompareAndSwap(last, state) {
			return true
		}
	}
}

// problems lists, as sentences, what keeps partitions of this broker from serving, in the order of partitions.
func (b *board) problems() []string {
	var all []string
	if p := b.problem.Load(); p != nil {
		all = append(all, "catalog: "+*p)
	}
	if p := b.strays.Load(); p != nil {
		all = append(all, *p)
	}
	v := b.view.Load()
	for _, a := range v.order {
		if p := a.readProblem(); p != "" {
			all = append(all, v.title(a)+": "+p)
		}
	}
	return all
}

// title names a partition the way its users do.
func (v *view) title(a *address) string {
	if t := v.state.Topics[a.partition.Topic]; t != nil {
		return fmt.Sprintf("topic %s, partition %d", t.Name, a.partition.Number)
	}
	return a.name
}
