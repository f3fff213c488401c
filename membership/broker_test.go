package membership

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"troupe/partitions/id"
)

// patience is when a test gives up waiting for what must come; nothing is measured by it.
const patience = time.Minute

// quick is a pace for tests: a dead broker is noticed in about a second.
var quick = Pace{
	Probe: 200 * time.Millisecond, ProbeTimeout: 100 * time.Millisecond, Suspicion: 3, Gossip: 20 * time.Millisecond,
	Exchange: 500 * time.Millisecond, Rejoin: 300 * time.Millisecond,
}

const ours id.Cluster = 0xc1

// broker is one Cluster under test, with everything that it said.
type broker struct {
	*Cluster
	t        *testing.T
	views    chan *View
	problems chan Problem

	mu   sync.Mutex
	seen []*View // ever
}

// open opens a cluster on loopback that is closed with the test.
func open(t *testing.T, o Options) *broker {
	t.Helper()
	b := &broker{t: t, views: make(chan *View, 1000), problems: make(chan Problem, 100)}
	if o.Bind == "" {
		o.Bind = "127.0.0.1:0"
	}
	if o.Self.Incarnation == 0 {
		o.Self.Incarnation = 1
	}
	if o.Pace == (Pace{}) {
		o.Pace = quick
	}
	if o.Adopt == nil {
		o.Adopt = func(id.Cluster, id.Epoch) error { return nil }
	}
	o.Problem = func(p Problem) { b.problems <- p }
	c, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	b.Cluster = c
	c.Subscribe(func(v *View) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.seen = append(b.seen, v)
		b.views <- v
	})
	return b
}

// member opens a broker of our cluster.
func member(t *testing.T, node id.Node, seeds ...*broker) *broker {
	t.Helper()
	return open(t, Options{Self: Member{Node: node, Cluster: ours}, Seeds: addresses(seeds)})
}

func addresses(brokers []*broker) (all []string) {
	for _, b := range brokers {
		all = append(all, b.Gossip())
	}
	return all
}

// await returns the first view that is as asked.
func (b *broker) await(what string, is func(*View) bool) *View {
	b.t.Helper()
	limit := time.After(patience)
	var last *View
	for {
		select {
		case v := <-b.views:
			if last != nil && v.Version() <= last.Version() {
				b.t.Fatalf("view %d came after view %d", v.Version(), last.Version())
			}
			if last = v; is(v) {
				return v
			}
		case <-limit:
			b.t.Fatalf("node %v never saw %s; the last view is\n%s", b.self.Node, what, describe(b.View()))
		}
	}
}

// awaitAlive waits for exactly these nodes to be seen alive.
func (b *broker) awaitAlive(nodes ...id.Node) *View {
	b.t.Helper()
	return b.await(fmt.Sprint(nodes, " alive"), func(v *View) bool { return slices.Equal(alive(v), nodes) })
}

func alive(v *View) (nodes []id.Node) {
	for _, m := range v.Members() {
		if m.Alive {
			nodes = append(nodes, m.Node)
		}
	}
	return nodes
}

// awaitProblem waits for a problem of one kind.
func (b *broker) awaitProblem(is error) Problem {
	b.t.Helper()
	limit := time.After(patience)
	for {
		select {
		case p := <-b.problems:
			if errors.Is(p, is) {
				return p
			}
			b.t.Logf("node %v: %v", b.self.Node, p)
		case <-limit:
			b.t.Fatalf("node %v never met %q", b.self.Node, is)
		}
	}
}

// awaitStop waits for the problem that must end the broker.
func (b *broker) awaitStop(is error) Problem {
	b.t.Helper()
	for {
		if p := b.awaitProblem(is); p.Stop {
			return p
		}
	}
}

// awaitJoined waits for the broker to belong to a cluster.
func (b *broker) awaitJoined() id.Cluster {
	b.t.Helper()
	select {
	case <-b.Joined():
	case <-time.After(patience):
		b.t.Fatalf("node %v belongs to no cluster: %s", b.self.Node, b.Waiting())
	}
	return b.ID()
}

// unharmed fails if a broker was told that it must stop, or if any of its views ever held a member that is refused.
func (b *broker) unharmed(refused func(Member) bool) {
	b.t.Helper()
	for len(b.problems) > 0 {
		if p := <-b.problems; p.Stop {
			b.t.Fatalf("node %v must stop: %v", b.self.Node, p)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, v := range b.seen {
		if slices.ContainsFunc(v.Members(), refused) {
			b.t.Fatalf("node %v saw\n%s", b.self.Node, describe(v))
		}
	}
}

// isNode matches the members of one node.
func isNode(node id.Node) func(Member) bool { return func(m Member) bool { return m.Node == node } }

func describe(v *View) string {
	var text strings.Builder
	for _, m := range v.Members() {
		fmt.Fprintf(&text, "%+v\n", m)
	}
	return text.String()
}

func newKey() []byte {
	key := make([]byte, KeyBytes)
	rand.Read(key)
	return key
}
