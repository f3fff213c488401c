package remote

import (
	"encoding/binary"
	"log/slog"
	"sync"
	"testing"
	"time"

	"troupe/partitions/id"
)

const testCluster = 0xC1

// broker is one end of links in a test.
type broker struct {
	*Link
	node   id.Node
	frames chan received
	reach  chan reached
	log    *memory
	// repeated are the frames for it that were sent more than once: they may come again, whenever the link gets to it.
	repeated map[string]bool
}

type received struct {
	from  id.Node
	frame []byte
}

// town knows where brokers are.
type town struct {
	mu        sync.Mutex
	addresses map[id.Node]string
}

func newTown() *town { return &town{addresses: map[id.Node]string{}} }

func (w *town) address(n id.Node) (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, ok := w.addresses[n]
	return a, ok
}

func (w *town) move(n id.Node, address string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.addresses[n] = address
}

// open opens a broker on a free port of loopback, and makes its address known.
func (w *town) open(t testing.TB, n id.Node, change ...func(*Options)) *broker {
	t.Helper()
	if racing {
		t.Skip("two links in one process race for gRPC's logger: see TestBesideAnotherProcess")
	}
	return w.openAlone(t, n, change...)
}

// openAlone is open for the only link of this process.
func (w *town) openAlone(t testing.TB, n id.Node, change ...func(*Options)) *broker {
	t.Helper()
	b := &broker{node: n, frames: make(chan received, 1<<16), reach: make(chan reached, 1<<10), log: newMemory(),
		repeated: map[string]bool{}}
	o := Options{
		Listen:    "127.0.0.1:0",
		Identity:  Identity{Cluster: testCluster, Node: n, Incarnation: 1, Nonce: uint64(n) * 7},
		Address:   w.address,
		Receive:   func(from id.Node, frame []byte) { b.frames <- received{from, frame} },
		Reachable: func(n id.Node, up bool) { b.reach <- reached{n, up} },
		Log:       slog.New(b.log),
	}
	for _, c := range change {
		c(&o)
	}
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	b.Link = l
	t.Cleanup(func() {
		l.Close()
		if t.Failed() {
			t.Logf("log of node %v:\n%s", n, b.log)
		}
	})
	w.move(n, l.Addr())
	return b
}

func secrets(texts ...string) []Secret {
	var all []Secret
	for _, s := range texts {
		all = append(all, Secret{s})
	}
	return all
}

func withSecrets(texts ...string) func(*Options) {
	return func(o *Options) { o.Secrets = secrets(texts...) }
}

const first, second = "first-secret-of-a-test-cluster-0000001", "second-secret-of-a-test-cluster-000002"

// next waits for a frame that was sent once.
func (b *broker) next(t testing.TB) received {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case r := <-b.frames:
			if !b.repeated[string(r.frame)] {
				return r
			}
		case <-late:
			t.Fatal("no frame")
			return received{}
		}
	}
}

func (b *broker) reaches(t testing.TB, want reached) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case r := <-b.reach:
			if r == want {
				return
			}
		case <-deadline:
			t.Fatalf("never told %+v", want)
		}
	}
}

// fails sends until a frame is taken, and waits for the link to fail.
func (b *broker) fails(t testing.TB, to id.Node) {
	t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for range 2000 {
		if b.Send(to, []byte("let me in")) {
			b.reaches(t, reached{to, false})
			return
		}
		<-again.C
	}
	t.Fatalf("no frame to node %v was taken", to)
}

func numbered(n uint64, size int) []byte {
	b := make([]byte, max(size, 8))
	binary.BigEndian.PutUint64(b, n)
	return b
}

func TestFramesArriveInOrder(t *testing.T) {
	for _, c := range []struct {
		name   string
		change []func(*Options)
	}{{"plain", nil}, {"secret", []func(*Options){withSecrets(first)}}} {
		t.Run(c.name, func(t *testing.T) {
			w := newTown()
			a, b := w.open(t, 1, c.change...), w.open(t, 2, c.change...)
			for i := range uint64(2000) {
				if !a.Send(2, numbered(i, 100)) || !b.Send(1, numbered(i, 100)) {
					t.Fatalf("frame %d was not taken", i)
				}
			}
			for i := range uint64(2000) {
				for _, r := range []*broker{a, b} {
					got := r.next(t)
					if n := binary.BigEndian.Uint64(got.frame); n != i || got.from != 3-r.node {
						t.Fatalf("node %v got frame %d of %v, want %d", r.node, n, got.from, i)
					}
				}
			}
			a.reaches(t, reached{2, true})
		})
	}
}
