package partitions_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// TestStories runs the text stories: each command is one call into a replica, and what is expected is everything it then
// wants done. Rewrite them with -rewrite, and read the difference before committing it.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &story{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			out := s.run(t, d)
			if s.replica != nil {
				s.replica.Check()
			}
			if out == "" {
				return "ok\n"
			}
			return out
		})
	})
}

type story struct {
	log     *memoryLog
	replica *partitions.Replica
	now     id.Timestamp
	limits  partitions.Limits
	set     partitions.Settings
	unsaved []partitions.Write
	saving  id.Index
	trim    *partitions.Trim
}

func (s *story) run(t *testing.T, d *datadriven.TestData) string {
	var q, n, offset, through int
	d.MaybeScanArgs(t, "q", &q)
	d.MaybeScanArgs(t, "offset", &offset)
	switch d.Cmd {
	case "born":
		s.log, s.set = bear(7), partitions.Settings{MaxBatchBytes: 1 << 20}
		s.limits = partitions.Limits{}
		d.MaybeScanArgs(t, "tail", &s.limits.TailBytes)
		d.MaybeScanArgs(t, "uncommitted", &s.limits.UncommittedBytes)
		d.MaybeScanArgs(t, "parked", &s.limits.ParkedFetches)
		d.MaybeScanArgs(t, "producers", &s.limits.Producers)
		d.MaybeScanArgs(t, "checkpoint", &s.limits.CheckpointBytes)
		return ""
	case "open":
		return s.open()
	case "settle": // persist until nothing is left to do
		var b strings.Builder
		b.WriteString(s.outbox())
		for len(s.unsaved) > 0 {
			b.WriteString(s.persist(s.unsaved[len(s.unsaved)-1].Sequence))
		}
		return b.String()
	case "persist":
		through = int(s.unsaved[len(s.unsaved)-1].Sequence)
		d.MaybeScanArgs(t, "through", &through)
		return s.persist(uint64(through))
	case "saved":
		s.replica.CheckpointSaved(s.saving)
	case "produce":
		s.replica.Produce(s.produce(t, d, q), s.now)
	case "fetch":
		f := partitions.Fetch{Request: partitions.Request(q), Offset: id.Offset(offset), MaxBytes: 1 << 20}
		d.MaybeScanArgs(t, "max", &f.MaxBytes)
		if d.MaybeScanArgs(t, "wait", &n) {
			f.Until = s.now + id.Timestamp(n)
		}
		s.replica.Fetch(f, s.now)
	case "cancel":
		s.replica.Cancel(partitions.Request(q))
	case "list":
		l := partitions.ListOffsets{Request: partitions.Request(q), At: partitions.OffsetLatest}
		if d.HasArg("earliest") {
			l.At = partitions.OffsetEarliest
		}
		if d.MaybeScanArgs(t, "time", &n) {
			l.At, l.Time = partitions.OffsetAtTime, id.Timestamp(n)
		}
		s.replica.ListOffsets(l)
	case "tick":
		n = 1
		d.MaybeScanArgs(t, "n", &n)
		for range n {
			s.now += partitions.TickMillis
			s.replica.Tick(s.now)
		}
	case "clock":
		d.ScanArgs(t, "now", &n)
		s.now = id.Timestamp(n)
	case "configure":
		s.set.AppendTime = d.HasArg("append-time")
		d.MaybeScanArgs(t, "max", &s.set.MaxBatchBytes)
		s.replica.Configure(s.set)
	case "delete":
		n = int(partitions.EverythingSoFar)
		d.MaybeScanArgs(t, "before", &n)
		s.replica.DeleteRecords(partitions.DeleteRecords{Request: partitions.Request(q), Before: id.Offset(n)}, s.now)
	case "trim":
		base, err := s.trim.Run(s.log)
		if err != nil {
			return err.Error() + "\n"
		}
		s.replica.Trimmed(base)
		return fmt.Sprintf("base %d: next=%d start=%d producers=%d\n%s", base.Index, base.NextOffset, base.LogStart, len(base.Producers), s.outbox())
	case "full":
		s.replica.SetDiskFull(partitions.ErrDiskFull)
		if d.HasArg("no") {
			s.replica.SetDiskFull(nil)
		}
	case "checkpoint":
		s.replica.SaveCheckpoint()
	case "crash":
		s.log.crash()
		s.replica, s.unsaved = nil, nil
		return ""
	case "damage":
		d.ScanArgs(t, "index", &n)
		s.log.bad = id.Index(n)
		return ""
	case "gap": // what a repair puts in the place of an entry, or behind the last
		var first, next int
		d.ScanArgs(t, "index", &n)
		d.ScanArgs(t, "first", &first)
		d.ScanArgs(t, "next", &next)
		s.log.lose(id.Index(n), partitions.Gap{First: id.Offset(first), Next: id.Offset(next)})
		return ""
	case "close":
		s.replica.Close()
	case "status":
		st := s.replica.Status()
		return fmt.Sprintf("%v term=%d ready=%v log=[%d,%d) applied=%d last=%d parked=%d uncommitted=%d producers=%d idle=%v %s\n",
			st.Role, st.Term, st.Ready, st.LogStart, st.HighWatermark, st.Applied, st.Last, st.Parked, st.Uncommitted, st.Producers,
			s.replica.Idle(), st.Problem)
	default:
		t.Fatalf("no such command: %s", d.Cmd)
	}
	return s.outbox()
}

func (s *story) open() string {
	r, err := partitions.New(partitions.Options{
		Partition: id.Partition{Topic: 16}, Replica: 7, Node: 1, Log: s.log, Settings: s.set, Limits: s.limits,
	}, s.now)
	if err != nil {
		return fmt.Sprintf("refused: %v\n", err)
	}
	s.replica = r
	return s.outbox()
}

func (s *story) persist(through uint64) string {
	n := 0
	for n < len(s.unsaved) && s.unsaved[n].Sequence <= through {
		n++
	}
	_ = s.log.Append(s.unsaved[:n])
	_ = s.log.Sync()
	s.unsaved = s.unsaved[n:]
	s.replica.Persisted(through)
	return s.outbox()
}

func (s *story) produce(t *testing.T, d *datadriven.TestData, q int) partitions.Produce {
	records, seq, producer, epoch, end, at := 1, 0, -1, 0, -1, int(s.now)
	acks := "quorum"
	d.MaybeScanArgs(t, "records", &records)
	d.MaybeScanArgs(t, "seq", &seq)
	d.MaybeScanArgs(t, "producer", &producer)
	d.MaybeScanArgs(t, "epoch", &epoch)
	d.MaybeScanArgs(t, "end", &end)
	d.MaybeScanArgs(t, "acks", &acks)
	d.MaybeScanArgs(t, "at", &at)
	if producer < 0 {
		epoch, seq = -1, -1
	}
	b := batch.NewBuilder(batch.None)
	for i := range records {
		b.Append(id.Timestamp(at+i), nil, fmt.Appendf(nil, "value %d", i), nil)
	}
	data, err := b.Build(id.Producer(producer), int16(epoch), int32(seq))
	if err != nil {
		t.Fatal(err)
	}
	if d.HasArg("cut") {
		data = data[:len(data)-1]
	}
	return partitions.Produce{
		Request: partitions.Request(q), Batch: data, ExpectEnd: id.Offset(end),
		Acks: map[string]partitions.Acks{"none": 0, "leader": 1, "quorum": -1}[acks],
	}
}

// outbox prints what the replica wants done, and keeps the writes for persist.
func (s *story) outbox() string {
	o := s.replica.Outbox()
	var b strings.Builder
	for _, w := range o.Writes {
		s.unsaved = append(s.unsaved, w)
		fmt.Fprintf(&b, "write %d:", w.Sequence)
		for _, e := range w.Entries {
			fmt.Fprintf(&b, " entry %d term %d %s", e.Index, e.Term, describe(e))
		}
		if w.Changed {
			fmt.Fprintf(&b, " state term=%d vote=%d commit=%d", w.HardState.Term, w.HardState.Vote, w.HardState.Commit)
		}
		b.WriteByte('\n')
	}
	for _, a := range o.Produced {
		fmt.Fprintf(&b, "produced %d: %s\n", a.Request, outcome(a.Err, fmt.Sprintf("base=%d duplicate=%v hw=%d time=%d",
			a.Base, a.Duplicate, a.HighWatermark, a.AppendTime)))
	}
	for _, a := range o.Fetched {
		fmt.Fprintf(&b, "fetched %d: %s\n", a.Request, outcome(a.Err, fmt.Sprintf("%s hw=%d term=%d", ranges(a.Batches), a.HighWatermark, a.Term)))
	}
	for _, a := range o.Offsets {
		fmt.Fprintf(&b, "offset %d: %s\n", a.Request, outcome(a.Err, fmt.Sprintf("%d hw=%d", a.Offset, a.HighWatermark)))
	}
	for _, r := range o.Reads {
		fmt.Fprintf(&b, "read for %d: [%d,%d) max %d\n", r.Answer.Request, r.From, r.Until, r.MaxBytes)
	}
	for _, q := range o.Searches {
		fmt.Fprintf(&b, "search for %d: time %d below %d\n", q.Answer.Request, q.Time, q.Until)
	}
	if c := o.Checkpoint; c != nil {
		s.saving = c.Index
		_ = s.log.SaveCheckpoint(c)
		fmt.Fprintf(&b, "checkpoint %d: term=%d next=%d clock=%d producers=%d\n", c.Index, c.Term, c.NextOffset, c.Clock, len(c.Producers))
	}
	for _, a := range o.Deleted {
		fmt.Fprintf(&b, "deleted %d: %s\n", a.Request, outcome(a.Err, fmt.Sprintf("log=[%d,%d)", a.LogStart, a.HighWatermark)))
	}
	if o.Trim != nil {
		s.trim = o.Trim
		fmt.Fprintf(&b, "trim: records below %d, entries through %d at most, from base %d\n", o.Trim.Start, o.Trim.Below, o.Trim.Base.Index)
	}
	if o.Failed != nil {
		fmt.Fprintf(&b, "failed: %v\n", o.Failed)
	}
	return b.String()
}

func describe(e partitions.Entry) string {
	switch e.Type {
	case partitions.EntryEmpty:
		return "empty"
	case partitions.EntryLogStart:
		return fmt.Sprintf("log start %d at %d", binary.LittleEndian.Uint64(e.Payload), e.AppendTime)
	case partitions.EntryGap:
		g, err := partitions.ParseGap(e.Payload)
		return fmt.Sprintf("gap [%d,%d) %v", g.First, g.Next, err)
	case partitions.EntryBatch:
		return fmt.Sprintf("%s at %d", ranges([][]byte{e.Payload}), e.AppendTime)
	}
	return fmt.Sprint("type ", e.Type)
}

func ranges(batches [][]byte) string {
	out := make([]string, len(batches))
	for i, b := range batches {
		h, err := batch.Verify(b)
		if err != nil {
			return err.Error()
		}
		out[i] = fmt.Sprintf("[%d,%d)", h.BaseOffset, h.NextOffset())
	}
	return strings.Join(out, "")
}

func outcome(err error, fine string) string {
	if err == nil {
		return fine
	}
	var r *partitions.RangeError
	if errors.As(err, &r) {
		return r.Error()
	}
	return err.Error()
}
