package actors

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// realNode runs a broker as it runs in production, on logs that forget: whatever they are told is "durable" at once.
func realNode(tb testing.TB, disk Disk) *Node {
	tb.Helper()
	n, err := NewNode(Options{
		Seams: Seams{Clock: RealClock{}, Disk: disk, Pool: NewPool(4)}, Cluster: 1, Node: 7, Bootstrap: true,
	})
	if err != nil {
		tb.Fatal(err)
	}
	if err := n.Run(context.Background()); err != nil {
		tb.Fatal(err)
	}
	return n
}

func createTopic(tb testing.TB, n *Node, name id.Topic, count int32) *catalog.Topic {
	tb.Helper()
	type answer struct {
		topic *catalog.Topic
		err   error
	}
	got := make(chan answer, 1)
	n.Router().CreateTopic(catalog.CreateTopic{Name: name, Partitions: count}, func(t *catalog.Topic, err error) {
		got <- answer{t, err}
	})
	a := <-got
	if a.err != nil {
		tb.Fatal(a.err)
	}
	return a.topic
}

// TestRealWorld drives a broker from many goroutines at once, on the production clock and pool.
func TestRealWorld(t *testing.T) {
	disk := newMemoryDisk()
	n := realNode(t, disk)
	topic := createTopic(t, n, "orders", 4)
	const producers, each = 8, 100
	bases := make([][]id.Offset, producers)
	var all sync.WaitGroup
	for p := range producers {
		all.Add(1)
		go func() {
			defer all.Done()
			answered := make(chan partitions.ProduceAnswer, 1)
			for i := range each {
				q := partitions.Produce{Batch: testBatch(1, fmt.Sprint(p, i)), Acks: partitions.AcksQuorum, ExpectEnd: -1}
				n.Router().Produce(at(topic, int32(p%4)), q, func(a partitions.ProduceAnswer) { answered <- a })
				a := <-answered
				if a.Err != nil {
					t.Error(a.Err)
					return
				}
				bases[p] = append(bases[p], a.Base)
			}
		}()
	}
	all.Wait()
	for p := range 4 {
		got := slices.Sorted(slices.Values(append(slices.Clone(bases[p]), bases[p+4]...)))
		for i, b := range got {
			if b != id.Offset(i) {
				t.Fatalf("partition %d: offset %d is missing", p, i)
			}
		}
		answered := make(chan partitions.FetchAnswer, 1)
		n.Router().Fetch(at(topic, int32(p)), partitions.Fetch{MaxBytes: 1 << 20}, func(a partitions.FetchAnswer) { answered <- a })
		if a := <-answered; a.Err != nil || len(values(t, a.Batches)) != 2*each {
			t.Fatalf("partition %d: %v, %d records", p, a.Err, len(values(t, a.Batches)))
		}
	}
	if err := n.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	for r, m := range disk.replicas {
		if m.open != 0 {
			t.Errorf("replica %d stays open", r)
		}
	}
}

// nullDisk makes logs that keep nothing but what an empty log must say.
type nullDisk struct{ births sync.Map }

func (d *nullDisk) Create(_ id.Partition, r id.Replica, c *partitions.Checkpoint, s partitions.HardState) error {
	d.births.Store(r, nullLog{replica: r, birth: c, state: s})
	return nil
}

func (d *nullDisk) Registered(r id.Replica) bool {
	_, ok := d.births.Load(r)
	return ok
}

func (d *nullDisk) Replicas(p id.Partition) []id.Replica { return nil }
func (d *nullDisk) Held() map[id.Replica]id.Partition    { return nil }

func (d *nullDisk) Open(_ id.Partition, r id.Replica) (partitions.Log, error) {
	l, _ := d.births.Load(r)
	return l.(nullLog), nil
}

func (d *nullDisk) Space() (partitions.Space, error) {
	return partitions.Space{Free: 1 << 40, Total: 1 << 40}, nil
}

func (d *nullDisk) Remove(id.Partition, id.Replica) error { return nil }

type nullLog struct {
	replica id.Replica
	birth   *partitions.Checkpoint
	state   partitions.HardState
}

func (l nullLog) Recovered() partitions.Recovered {
	return partitions.Recovered{HardState: l.state, Replica: l.replica, Base: l.birth, Newest: l.birth, First: 2, Last: 1, Durable: 1}
}
func (nullLog) Append([]partitions.Write) error                { return nil }
func (nullLog) Sync() error                                    { return nil }
func (nullLog) SaveCheckpoint(*partitions.Checkpoint) error    { return nil }
func (nullLog) FrontEnd(id.Offset, id.Index) (id.Index, error) { return 0, nil }
func (nullLog) Rest() error                                    { return nil }
func (nullLog) DropFront(*partitions.Checkpoint) error         { return nil }
func (nullLog) Entries(id.Index, id.Index, int) ([]partitions.Entry, error) {
	return nil, partitions.ErrDamaged
}
func (nullLog) ReadBatches(id.Offset, id.Offset, int) ([][]byte, error) { return nil, nil }
func (nullLog) FindTime(id.Timestamp, id.Offset, id.Offset) (id.Offset, id.Timestamp, bool, error) {
	return 0, 0, false, nil
}
func (nullLog) Holes() ([]partitions.Hole, error)       { return nil, nil }
func (nullLog) Fill([]partitions.Entry) error           { return nil }
func (nullLog) Size() partitions.LogSize                { return partitions.LogSize{} }
func (nullLog) Close() error                            { return nil }
func (nullLog) Scrub(id.Index) (id.Index, int64, error) { return 0, 0, nil }

// hundredRecords is a batch of 100 records of 100 bytes.
func hundredRecords(b *testing.B) []byte {
	records := batch.NewBuilder(batch.None)
	for range 100 {
		records.Append(1, nil, make([]byte, 100), nil)
	}
	bytes, err := records.Build(batch.NoProducer, batch.NoEpoch, batch.NoSequence)
	if err != nil {
		b.Fatal(err)
	}
	return bytes
}

// BenchmarkProduce is the whole path of a produce inside the broker, from the router to its answer, on a log that costs
// nothing: batches of 100 records of 100 bytes, with so many of them in flight.
func BenchmarkProduce(b *testing.B) {
	bytes := hundredRecords(b)
	for _, flying := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("inflight=%d", flying), func(b *testing.B) {
			n := realNode(b, &nullDisk{})
			topic := createTopic(b, n, "orders", 1)
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
				n.Router().Produce(at(topic, 0), q, done)
			}
			for range flying {
				slots <- struct{}{}
			}
			b.StopTimer()
			if err := n.Shutdown(context.Background()); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkIdle is what a tick costs a broker with 1,000 idle partitions.
func BenchmarkIdle(b *testing.B) {
	w := &testWorld{disk: newMemoryDisk(), now: 1000}
	s := &stage{seams: Seams{Clock: w}}
	s.peers = newPeers(s, nil)
	table := map[id.Partition]*address{}
	for i := range 1000 {
		p := id.Partition{Topic: 16, Number: int32(i)}
		table[p] = &address{partition: p}
	}
	board := newBoard()
	board.view.Store(newView(catalog.NewFold().State(), table))
	t := &ticker{stage: s, board: board, herald: newHerald(s, board, nil, nil)}
	b.ReportAllocs()
	for b.Loop() {
		t.tick()
	}
}
