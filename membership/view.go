package membership

import (
	"fmt"
	"slices"

	"troupe/partitions/id"
)

// Member is one broker of a cluster.
type Member struct {
	Node        id.Node
	Incarnation uint64     // counts the broker's starts: of two members with one node, the higher is the living one
	Nonce       uint64     // drawn at every start: two starts with one incarnation are two copies of a data directory
	Cluster     id.Cluster // 0: it belongs to none yet
	Epoch       id.Epoch   // of the cluster: whose catalog it follows
	Gateway     string     // host:port for clients
	Peer        string     // host:port for other brokers; empty while it has none
	Gossip      string     // ip:port of its gossip
	Rack        string     // where it may fail together with others; empty says nothing
	Version     string     // of the program
	Catalog     bool       // it holds a replica of the catalog's partition
	Alive       bool
	Left        bool // it is not alive because it said so: it left, nothing failed
}

// View is the membership at one moment. It is immutable.
type View struct {
	version uint64
	members []Member // ordered by node, each node once
}

// NewView makes a view of members in any order. Of several with one node it keeps the highest incarnation.
func NewView(version uint64, members []Member) *View {
	sorted := slices.Clone(members)
	slices.SortStableFunc(sorted, func(a, b Member) int {
		switch {
		case a.Node != b.Node && a.Node < b.Node, a.Node == b.Node && a.Incarnation > b.Incarnation:
			return -1
		case a.Node == b.Node && a.Incarnation == b.Incarnation:
			return 0
		}
		return 1
	})
	sorted = slices.CompactFunc(sorted, func(a, b Member) bool { return a.Node == b.Node })
	return &View{version: version, members: sorted}
}

// Version numbers the views of one feed; a later one is higher.
func (v *View) Version() uint64 { return v.version }

// Members returns everyone in the view, ordered by node. The slice is the caller's.
func (v *View) Members() []Member { return slices.Clone(v.members) }

// Member returns the member of a node; found is false when the view has none.
func (v *View) Member(node id.Node) (m Member, found bool) {
	i, found := slices.BinarySearchFunc(v.members, node, func(m Member, n id.Node) int {
		switch {
		case m.Node < n:
			return -1
		case m.Node > n:
			return 1
		}
		return 0
	})
	if !found {
		return Member{}, false
	}
	return v.members[i], true
}

// Admits tells whether a broker that says of itself to be this start of a node may be taken for that node. It returns
// ErrTwin, which is final, if a later start of the node is known, or another with the same incarnation; and ErrContested,
// which may pass, if an earlier start is still alive. A node that the view does not have is admitted: gossip may be late.
func (v *View) Admits(node id.Node, incarnation, nonce uint64) error {
	known, found := v.Member(node)
	switch {
	case !found, incarnation == known.Incarnation && nonce == known.Nonce:
		return nil
	case incarnation <= known.Incarnation:
		return fmt.Errorf("node %v, incarnation %d, while incarnation %d is known: %w", node, incarnation, known.Incarnation, ErrTwin)
	case known.Alive:
		return fmt.Errorf("node %v, incarnation %d, while incarnation %d is alive: %w", node, incarnation, known.Incarnation, ErrContested)
	}
	return nil
}

// same tells whether two views show the same members.
func (v *View) same(w *View) bool { return slices.Equal(v.members, w.members) }

// Feed tells the newest view there is. View may be called from any goroutine and does not block.
type Feed interface {
	View() *View
}

// Single is the feed of a cluster of one broker, which sees itself alive for ever.
func Single(m Member) Feed {
	m.Alive = true
	return single{NewView(1, []Member{m})}
}

type single struct{ view *View }

// View returns the one view there is.
func (s single) View() *View { return s.view }
