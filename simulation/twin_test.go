package simulation

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

var (
	twinPartition = id.Partition{Topic: 7, Number: 2}
	twinReplica   = id.Replica(41)
)

// twinWorld is a world with nothing but a disk in it.
func twinWorld(seed uint64, segmentBytes int) *World {
	w := newWorld(Config{Seed: seed})
	w.options.SegmentBytes = segmentBytes
	return w
}

// boot begins a life of the disk.
func (w *World) boot(t *testing.T, random *rand.Rand, crash, fail int) *Disk {
	t.Helper()
	var crashNow, failNow int
	d, err := openDisk(w, &Device{
		volume: w.cluster.brokers[0].volume, random: random, room: func() int64 { return simulatedBytes }, plan: w.plan, trace: w.trace,
		crash: func() int { return crashNow }, fail: func() int { return failNow },
	}, nil)
	must(t, err)
	crashNow, failNow = crash, fail
	return d
}

// birth is how the log of one founder begins.
func birth() (partitions.Checkpoint, partitions.HardState) {
	return partitions.Birth([]partitions.Placed{{Replica: twinReplica, Node: 5}})
}

// testBatch builds a record batch as a leader stamps it.
func testBatch(t *testing.T, random *rand.Rand, base id.Offset, at id.Timestamp) ([]byte, id.Offset) {
	t.Helper()
	b := batch.NewBuilder(batch.None)
	for range between(random, 1, 4) {
		b.Append(at, nil, Value(base).Encode(random.IntN(1500)), nil)
	}
	built, err := b.Build(batch.NoProducer, batch.NoEpoch, batch.NoSequence)
	must(t, err)
	batch.Stamp(built, base, 2)
	return append([]byte(nil), built...), base + id.Offset(b.Count())
}

// scribe writes to a log as a replica would, and remembers what it wrote and what it was told is durable.
type scribe struct {
	random  *rand.Rand
	written []partitions.Entry // from entry 2 on; those at or below origin are not in the log
	state   partitions.HardState
	write   uint64
	// durable is what was there when a Sync last returned.
	durable      id.Index
	durableState partitions.HardState
	checkpoint   id.Index
	// base is what the log continues from; dropping is the one it was last told of, which a crash may have lost.
	base, dropping id.Index
	// origin is the checkpoint that everything written follows; nil while the log waits for its first snapshot.
	origin *partitions.Checkpoint
	// before is this scribe without a snapshot that may have taken effect or not.
	before *scribe
}

func newScribe(random *rand.Rand) *scribe {
	c, state := birth()
	return &scribe{
		random: random, state: state, durable: c.Index, durableState: state, checkpoint: c.Index, base: c.Index, dropping: c.Index, origin: &c,
	}
}

func (s *scribe) last() id.Index {
	if s.origin == nil {
		return 0
	}
	return 1 + id.Index(len(s.written))
}

func (s *scribe) end() id.Offset { return s.endAt(s.last()) }

// endAt is the offset behind an entry.
func (s *scribe) endAt(index id.Index) id.Offset {
	if s.origin == nil {
		return 0
	}
	for ; index > s.origin.Index; index-- {
		if e := s.written[index-2]; e.Type == partitions.EntryBatch {
			h, _ := batch.ParseHeader(e.Payload)
			return h.NextOffset()
		}
	}
	return s.origin.NextOffset
}

// next makes a write: a few entries, a new term now and then, a higher commit index.
func (s *scribe) next(t *testing.T) partitions.Write {
	s.write++
	w := partitions.Write{Sequence: s.write}
	if chance(s.random, 10) {
		s.state.Term++
		s.state.Vote = twinReplica
		w.Changed = true
		w.Entries = append(w.Entries, partitions.Entry{Index: s.last() + 1, Term: s.state.Term, Type: partitions.EntryEmpty, Payload: []byte{}})
		s.written = append(s.written, w.Entries...)
	}
	for range s.random.IntN(4) {
		payload, _ := testBatch(t, s.random, s.end(), 1000+id.Timestamp(len(s.written)))
		e := partitions.Entry{Index: s.last() + 1, Term: s.state.Term, Type: partitions.EntryBatch, AppendTime: 5, Payload: payload}
		if chance(s.random, 15) {
			e = partitions.Entry{Index: s.last() + 1, Term: s.state.Term, Type: partitions.EntryConfiguration, Payload: []byte("change")}
		}
		s.written = append(s.written, e)
		w.Entries = append(w.Entries, e)
	}
	if commit := s.durable; commit > s.state.Commit && chance(s.random, 50) {
		s.state.Commit = commit
		w.Changed = true
	}
	w.HardState = s.state
	return w
}

// step does one thing to a log.
func (s *scribe) step(t *testing.T, log partitions.Log) error {
	if s.origin == nil && chance(s.random, 50) {
		s.state.Term++
		s.state.Vote = id.Replica(s.random.IntN(3))
		return s.append(log, partitions.Write{HardState: s.state, Changed: true})
	}
	if s.origin == nil || chance(s.random, 4) {
		return s.install(t, log)
	}
	switch s.random.IntN(8) {
	case 0, 1, 2, 3:
		return log.Append([]partitions.Write{s.next(t), s.next(t)})
	case 4:
		if s.durable > s.checkpoint {
			c, _ := birth()
			c.Index, c.Term, c.NextOffset = s.durable, s.durableState.Term, s.end()
			if err := log.SaveCheckpoint(&c); err != nil {
				return err
			}
			s.checkpoint = c.Index
		}
		return nil
	case 5:
		if chance(s.random, 30) {
			if err := log.Rest(); err != nil {
				return err
			}
			s.durable, s.durableState = s.last(), s.state
			return nil
		}
		return s.drop(log)
	}
	return s.sync(log)
}

func (s *scribe) sync(log partitions.Log) error {
	if err := log.Sync(); err != nil {
		return err
	}
	s.durable, s.durableState = s.last(), s.state
	return nil
}

func (s *scribe) append(log partitions.Log, writes ...partitions.Write) error {
	if err := log.Append(writes); err != nil {
		return err
	}
	return s.sync(log)
}

// install has a snapshot replace the log: one ahead of it, or within what is not committed. Sometimes entries follow at once.
func (s *scribe) install(t *testing.T, log partitions.Log) error {
	index := s.state.Commit
	if chance(s.random, 50) {
		index = s.last()
	}
	return s.installBehind(t, log, index+1+id.Index(s.random.IntN(20)))
}

func (s *scribe) installBehind(t *testing.T, log partitions.Log, index id.Index) error {
	before := *s
	c, _ := birth()
	c.Index, c.NextOffset = index, s.end()+id.Offset(s.random.IntN(30))
	s.state.Term++
	s.state.Vote, s.state.Commit = id.Replica(s.random.IntN(3)), index
	c.Term = s.state.Term
	s.written = slices.Clone(s.written[:min(len(s.written), int(index-1))])
	s.written = append(s.written, make([]partitions.Entry, int(index-1)-len(s.written))...)
	s.origin, s.base, s.dropping, s.checkpoint = &c, index, index, index
	s.durable, s.durableState = index, s.state
	s.write++
	writes := []partitions.Write{{Sequence: s.write, Snapshot: &c, HardState: s.state, Changed: true}}
	if chance(s.random, 50) {
		writes = append(writes, s.next(t))
	}
	if err := log.Append(writes); err != nil {
		s.before = &before
		return err
	}
	return nil
}

// drop removes some of the front.
func (s *scribe) drop(log partitions.Log) error {
	below := s.base + id.Index(s.random.IntN(int(s.checkpoint-s.base)+1))
	end, err := log.FrontEnd(s.end(), below)
	if err != nil || end <= s.base {
		return err
	}
	c, _ := birth()
	c.Index, c.Term = end, s.written[end-2].Term
	c.NextOffset = s.endAt(end)
	s.dropping = end
	if err := log.DropFront(&c); err != nil {
		return err
	}
	s.base = end
	return nil
}

// resume holds what was recovered to what was promised, and goes on from there.
func (s *scribe) resume(t *testing.T, log partitions.Log) {
	t.Helper()
	r := log.Recovered()
	if r.Damage != nil {
		t.Fatalf("nothing was damaged, and the log says: %+v", *r.Damage)
	}
	if s.before != nil && (r.Base == nil || r.Base.Index != s.origin.Index) {
		*s = *s.before
	}
	s.before = nil
	if r.Last < s.durable || r.Last > s.last() {
		t.Fatalf("the log ends at %d; durable were %d, written %d", r.Last, s.durable, s.last())
	}
	if r.HardState.Term < s.durableState.Term || r.HardState.Term == s.durableState.Term && r.HardState.Vote != s.durableState.Vote {
		t.Fatalf("hard state %+v; durable was %+v", r.HardState, s.durableState)
	}
	if s.origin == nil {
		if r.Base != nil || r.Newest != nil || r.First != 1 || r.Last != 0 {
			t.Fatalf("the log was empty, and recovers %+v", r)
		}
		s.state, s.durableState = r.HardState, r.HardState
		return
	}
	if r.Newest.Index < s.checkpoint {
		t.Fatalf("the newest checkpoint is at %d; one at %d was durable", r.Newest.Index, s.checkpoint)
	}
	if r.Base == nil || r.First != r.Base.Index+1 || r.Base.Index != s.base && r.Base.Index != s.dropping {
		t.Fatalf("the log begins at %d behind base %+v; the last base durable was %d, the last given %d", r.First, r.Base, s.base, s.dropping)
	}
	s.base, s.dropping = r.Base.Index, r.Base.Index
	s.written = s.written[:r.Last-1]
	if r.Last >= r.First {
		got, err := log.Entries(r.First, r.Last+1, 1<<30)
		must(t, err)
		sameEntries(t, s.written[r.First-2:], got)
	}
	if front := r.Base.NextOffset; front > 0 {
		if _, err := log.ReadBatches(front-1, s.end(), 1); !errors.Is(err, partitions.ErrOffsetOutOfRange) {
			t.Fatalf("reading below offset %d: %v", front, err)
		}
	}
	s.state, s.durable, s.durableState, s.checkpoint = r.HardState, r.Last, r.HardState, r.Newest.Index
}

// sameEntries compares whole payloads first: go-cmp takes them byte by byte.
func sameEntries(t *testing.T, want, got []partitions.Entry) {
	t.Helper()
	same := func(a, b partitions.Entry) bool {
		return a.Index == b.Index && a.Term == b.Term && a.Type == b.Type && a.AppendTime == b.AppendTime && bytes.Equal(a.Payload, b.Payload)
	}
	if !slices.EqualFunc(want, got, same) {
		t.Fatalf("entries (-want +got):\n%s", cmp.Diff(want, got, cmpopts.EquateEmpty()))
	}
}

func TestTwinKeepsWhatWasSynced(t *testing.T) {
	var faults Faults
	var marks Marks
	for seed := range seeds() {
		random := Streams{seed}.Named("test")
		w := twinWorld(seed, 1<<between(random, 11, 15))
		c, state := birth()
		d := w.boot(t, random, 0, 0)
		s := newScribe(random)
		if chance(random, 50) {
			s = &scribe{random: random}
			must(t, d.Create(twinPartition, twinReplica, nil, s.state))
		} else {
			must(t, d.Create(twinPartition, twinReplica, &c, state))
		}
		for range 20 {
			d = w.boot(t, random, 0, 0)
			if chance(random, 30) {
				d = w.boot(t, random, 300, 100)
			}
			for range 3 {
				log, err := d.Open(twinPartition, twinReplica)
				if err != nil {
					continue // it dies, or fails: opened again
				}
				s.resume(t, log)
				for range random.IntN(40) {
					if err := s.step(t, log); err != nil {
						if !errors.Is(err, errPower) && !errors.Is(err, errInputOutput) {
							t.Fatalf("seed %d: %v", seed, err)
						}
						break
					}
				}
				if chance(random, 50) {
					_ = log.Close()
				}
			}
			w.cluster.brokers[0].volume.PowerLoss(random, w.plan, "broker-a")
		}
		if w.broken != nil {
			t.Fatalf("seed %d: %v", seed, w.broken)
		}
		faults.Add(w.plan.Faults)
		marks.Add(w.marks)
	}
	t.Logf("faults: %v", faults)
	t.Logf("marks: %v", marks)
	if testing.Short() {
		return // too few seeds to demand the rare ones
	}
	for _, m := range []Mark{MarkTearCut, MarkReplay, MarkCheckpoint, MarkRoll, MarkReopenAfterError, MarkFrontDropped, MarkDropFinished, MarkInstalled, MarkInstallFinished} {
		if marks[m] == 0 {
			t.Errorf("%v never happened", m)
		}
	}
	for kind := FaultCrashInDisk; kind <= FaultSyncError; kind++ {
		if faults[kind] == 0 {
			t.Errorf("%v never happened", kind)
		}
	}
}

// A segment that began in the same group of writes in which its first entries are replaced keeps its name.
func TestTwinCutBehindAFreshSegment(t *testing.T) {
	for seed := range uint64(20) {
		random := Streams{seed}.Named("test")
		w := twinWorld(seed, 2048)
		c, state := birth()
		d := w.boot(t, random, 0, 0)
		must(t, d.Create(twinPartition, twinReplica, &c, state))
		log, err := d.Open(twinPartition, twinReplica)
		must(t, err)
		twin := log.(*Twin)
		entry := func(index id.Index, term id.Term) partitions.Write {
			return partitions.Write{Sequence: uint64(index), Entries: []partitions.Entry{{
				Index: index, Term: term, Type: partitions.EntryLogStart, AppendTime: 5, Payload: make([]byte, 900),
			}}}
		}
		last := id.Index(2)
		for ; len(twin.segments) < 2; last++ {
			must(t, twin.Append([]partitions.Write{entry(last, 2)}))
		}
		must(t, twin.Append([]partitions.Write{entry(last, 2), entry(last, 3)}))
		must(t, twin.Sync())
		w.cluster.brokers[0].volume.PowerLoss(random, w.plan, "broker-a")
		log, err = w.boot(t, random, 0, 0).Open(twinPartition, twinReplica)
		must(t, err)
		if found := log.Recovered(); found.Last != last || found.Damage != nil {
			t.Fatalf("seed %d: the log ends at %d of %d, damage %+v", seed, found.Last, last, found.Damage)
		}
	}
}
