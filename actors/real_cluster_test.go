package actors

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"troupe/membership"
	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// pipes are links between brokers of one process: one goroutine for each direction, as a real link has.
type pipes struct {
	mu    sync.Mutex
	nodes map[id.Node]*Node
	lanes map[[2]id.Node]chan []byte
	view  *membership.View
}

func (p *pipes) View() *membership.View { return p.view }

// pipe is one broker's end of them.
type pipe struct {
	*pipes
	from id.Node
}

func (p pipe) Send(to id.Node, frame []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := [2]id.Node{p.from, to}
	lane := p.lanes[key]
	if lane == nil {
		lane = make(chan []byte, 4096)
		p.lanes[key] = lane
		go func() {
			for frame := range lane {
				p.mu.Lock()
				n := p.nodes[to]
				p.mu.Unlock()
				if n != nil {
					n.Receive(p.from, frame)
				}
			}
		}()
	}
	select {
	case lane <- frame:
		return true
	default:
		return false
	}
}

// realCluster runs brokers on the production clock and pool, on the disks given.
func realCluster(tb testing.TB, disks ...Disk) []*Node {
	tb.Helper()
	p := &pipes{nodes: map[id.Node]*Node{}, lanes: map[[2]id.Node]chan []byte{}}
	var members []membership.Member
	for i := range disks {
		members = append(members, membership.Member{Node: id.Node(i + 1), Incarnation: 1, Gateway: fmt.Sprint("broker:", i), Alive: true})
	}
	p.view = membership.NewView(1, members)
	var all []*Node
	for i, disk := range disks {
		node := id.Node(i + 1)
		n, err := NewNode(Options{
			Seams:   Seams{Clock: RealClock{}, Disk: disk, Pool: NewPool(4), Peers: pipe{p, node}},
			Cluster: 1, Node: node, Incarnation: 1, Members: p, Bootstrap: i == 0,
		})
		if err != nil {
			tb.Fatal(err)
		}
		p.mu.Lock()
		p.nodes[node] = n
		p.mu.Unlock()
		if err := n.Run(context.Background()); err != nil {
			tb.Fatal(err)
		}
		all = append(all, n)
	}
	tb.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, lane := range p.lanes {
			close(lane)
		}
	})
	return all
}

func realTopic(tb testing.TB, n *Node, name id.Topic, placements [][]id.Node) *catalog.Topic {
	tb.Helper()
	got := make(chan error, 1)
	var topic *catalog.Topic
	n.Router().CreateTopic(catalog.CreateTopic{Name: name, Partitions: int32(len(placements)), Placements: placements},
		func(t *catalog.Topic, err error) {
			topic = t
			got <- err
		})
	if err := <-got; err != nil {
		tb.Fatal(err)
	}
	return topic
}

// persist sends a batch until it is acknowledged, or may have been: false.
func persist(tb testing.TB, n *Node, p id.Partition, bytes []byte) bool {
	answered := make(chan partitions.ProduceAnswer, 1)
	for {
		n.Router().Produce(p, partitions.Produce{Batch: bytes, Acks: partitions.AcksQuorum, ExpectEnd: partitions.NoExpectation},
			func(a partitions.ProduceAnswer) { answered <- a })
		switch a := <-answered; {
		case a.Err == nil:
			return true
		case errors.Is(a.Err, partitions.ErrOutcomeUnknown):
			return false
		case !retriable(a.Err):
			tb.Error(a.Err)
			return false
		}
		again := make(chan struct{}) // as every client does, not at once
		RealClock{}.After(10*time.Millisecond, func() { close(again) })
		<-again
	}
}

func retriable(err error) bool {
	return errors.Is(err, partitions.ErrNotReady) || errors.Is(err, partitions.ErrNotLeader) || errors.Is(err, partitions.ErrThrottled)
}

// TestRealCluster drives three brokers from many goroutines at once, on the production clock and pool, and stops one of them.
func TestRealCluster(t *testing.T) {
	nodes := realCluster(t, newMemoryDisk(), newMemoryDisk(), newMemoryDisk())
	topic := realTopic(t, nodes[1], "orders", catalog.PlaceOn(3, 1, 2, 3))
	const each = 30
	var all sync.WaitGroup
	var unknown [3]atomic.Int64
	for i := range 9 {
		all.Add(1)
		go func() {
			defer all.Done()
			for k := range each {
				if !persist(t, nodes[i%2], at(topic, int32(i/3)), testBatch(1, fmt.Sprint(i, k))) {
					unknown[i/3].Add(1)
				}
			}
		}()
	}
	if err := nodes[2].Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	for _, n := range nodes[:2] {
		n.Reachable(3, false)
	}
	all.Wait()
	for p := range int32(3) {
		answered := make(chan partitions.FetchAnswer, 1)
		nodes[0].Router().Fetch(at(topic, p), partitions.Fetch{MaxBytes: 1 << 20}, func(a partitions.FetchAnswer) { answered <- a })
		a := <-answered
		if most, got := 3*each, len(values(t, a.Batches)); a.Err != nil || got > most || got < most-int(unknown[p].Load()) {
			t.Errorf("partition %d: %v, %d records of %d, %d of unknown outcome", p, a.Err, got, most, unknown[p].Load())
		}
	}
	for _, n := range nodes[:2] {
		if err := n.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// BenchmarkForwarded is the path of a produce to a partition that another broker has, on a log that costs nothing.
func BenchmarkForwarded(b *testing.B) {
	nodes := realCluster(b, &nullDisk{}, &nullDisk{})
	topic := realTopic(b, nodes[0], "orders", [][]id.Node{{2}})
	flood(b, nodes[0], at(topic, 0), hundredRecords(b))
}

// BenchmarkReplicated is the path of a small produce through three brokers, on logs in memory.
func BenchmarkReplicated(b *testing.B) {
	nodes := realCluster(b, newMemoryDisk(), newMemoryDisk(), newMemoryDisk())
	p := at(realTopic(b, nodes[0], "orders", [][]id.Node{{1, 2, 3}}), 0)
	persist(b, nodes[0], p, testBatch(1, "x"))
	node, _ := nodes[0].Router().Leader(p)
	flood(b, nodes[node-1], p, testBatch(1, "x"))
}

// flood keeps 256 batches in flight.
func flood(b *testing.B, n *Node, p id.Partition, bytes []byte) {
	persist(b, n, p, bytes)
	const flying = 256
	slots := make(chan struct{}, flying)
	done := func(a partitions.ProduceAnswer) {
		if a.Err != nil {
			b.Error(a.Err)
		}
		<-slots
	}
	q := partitions.Produce{Batch: bytes, Acks: partitions.AcksQuorum, ExpectEnd: partitions.NoExpectation}
	b.SetBytes(int64(len(bytes)))
	b.ReportAllocs()
	for b.Loop() {
		slots <- struct{}{}
		n.Router().Produce(p, q, done)
	}
	for range flying {
		slots <- struct{}{}
	}
}
