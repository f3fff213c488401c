package simulation

import (
	"testing"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// story is a ledger with logs of three replicas of one partition, each on a node of its own.
type story struct {
	*Ledger
	logs map[id.Replica]*overseen
}

func newStory() *story {
	s := &story{Ledger: newLedger(&World{trace: NewTrace(nil)}), logs: map[id.Replica]*overseen{}}
	for r := id.Replica(1); r <= 3; r++ {
		s.begun(somewhere, r, id.Node(r))
		s.logs[r] = &overseen{Log: deaf{}, ledger: s.Ledger, partition: somewhere, replica: r, first: 2, before: 1}
	}
	return s
}

// deaf is a log that takes everything.
type deaf struct{ partitions.Log }

func (deaf) Append([]partitions.Write) error { return nil }
func (deaf) Sync() error                     { return nil }

func (s *story) write(r id.Replica, entries ...partitions.Entry) {
	_ = s.logs[r].Append([]partitions.Write{{Entries: entries}})
}

func (s *story) state(r id.Replica, term id.Term, vote id.Replica) {
	_ = s.logs[r].Append([]partitions.Write{{HardState: partitions.HardState{Term: term, Vote: vote}, Changed: true}})
	_ = s.logs[r].Sync()
}

func empty(index id.Index, term id.Term) partitions.Entry {
	return partitions.Entry{Index: index, Term: term, Type: partitions.EntryEmpty}
}

// batched is an entry with a batch of one record.
func batched(index id.Index, term id.Term, base id.Offset, producer id.Producer, sequence int32) partitions.Entry {
	b := batch.NewBuilder(batch.None)
	b.Append(1, nil, []byte("v"), nil)
	built, err := b.Build(producer, 0, sequence)
	if err != nil {
		panic(err)
	}
	batch.Stamp(built, base, term)
	return partitions.Entry{Index: index, Term: term, Type: partitions.EntryBatch, Payload: append([]byte(nil), built...)}
}

func TestLedgerNamesEachBrokenPromise(t *testing.T) {
	tests := []struct {
		name string
		tell func(s *story)
		want string
	}{
		{"a whole reign", func(s *story) {
			for r := id.Replica(1); r <= 3; r++ {
				s.write(r, empty(2, 2), batched(3, 2, 0, 7, 0), batched(4, 2, 1, 7, 1))
				s.applied(s.logs[r], 4)
			}
			s.leads(s.logs[1], 2)
			s.write(2, empty(5, 3))
			s.leads(s.logs[2], 3)
			s.applied(s.logs[2], 5)
		}, ""},
		{"two leaders in a term", func(s *story) { s.leads(s.logs[1], 2); s.leads(s.logs[2], 2) }, "two-leaders"},
		{"another entry at its index and term", func(s *story) { s.write(1, batched(2, 2, 0, 7, 0)); s.write(2, batched(2, 2, 0, 8, 0)) }, "log-matching"},
		{"the same entry behind another", func(s *story) {
			s.write(1, empty(2, 2), empty(3, 4))
			s.write(2, empty(2, 3), empty(3, 4))
		}, "log-matching"},
		{"another entry applied", func(s *story) {
			s.write(1, empty(2, 2))
			s.applied(s.logs[1], 2)
			s.write(2, empty(2, 3))
			s.applied(s.logs[2], 2)
		}, "applied-differs"},
		{"what was cut before it was committed is nobody's", func(s *story) {
			s.write(1, empty(2, 2))
			s.write(2, empty(2, 3))
			s.applied(s.logs[2], 2)
			s.write(1, empty(2, 3))
			s.applied(s.logs[1], 2)
		}, ""},
		{"a leader without what is committed", func(s *story) {
			s.write(1, empty(2, 2))
			s.applied(s.logs[1], 2)
			s.leads(s.logs[2], 3)
		}, "leader-completeness"},
		{"a leader of an older term need not know it", func(s *story) {
			s.write(1, empty(2, 3))
			s.applied(s.logs[1], 2)
			s.leads(s.logs[2], 2)
		}, ""},
		{"a snapshot stands for what it holds", func(s *story) {
			s.write(1, empty(2, 2), empty(3, 2))
			s.applied(s.logs[1], 3)
			_ = s.logs[2].Append([]partitions.Write{{Snapshot: &partitions.Checkpoint{Index: 3, Term: 2}}})
			s.leads(s.logs[2], 3)
		}, ""},
		{"a snapshot of something else", func(s *story) {
			s.write(1, empty(2, 2), empty(3, 2))
			s.applied(s.logs[1], 3)
			_ = s.logs[2].Append([]partitions.Write{{Snapshot: &partitions.Checkpoint{Index: 3, Term: 1}}})
		}, "applied-differs"},
		{"two votes in a term", func(s *story) { s.state(1, 2, 1); s.state(1, 2, 3) }, "voted-twice"},
		{"a lower term", func(s *story) { s.state(1, 2, 1); s.state(1, 1, 0) }, "hard-state-fell"},
		{"a vote forgotten", func(s *story) {
			s.state(1, 2, 3)
			s.opened(1, partitions.Recovered{HardState: partitions.HardState{Term: 2}})
		}, "vote-forgotten"},
		{"a term forgotten", func(s *story) {
			s.state(1, 2, 3)
			s.opened(1, partitions.Recovered{HardState: partitions.HardState{Term: 1, Vote: 1}})
		}, "term-forgotten"},
		{"forgotten, and said so", func(s *story) {
			s.state(1, 2, 3)
			s.opened(1, partitions.Recovered{Damage: &partitions.Damage{Kind: partitions.DamageAmnesia}})
		}, ""},
		{"an id on another node", func(s *story) { s.begun(somewhere, 1, 2) }, "replica-id-reused"},
		{"an offset left out", func(s *story) {
			s.write(1, batched(2, 2, 0, 7, 0), batched(3, 2, 2, 7, 1))
			s.applied(s.logs[1], 3)
		}, "dense-offsets"},
		{"a sequence twice", func(s *story) {
			s.write(1, batched(2, 2, 0, 7, 0), batched(3, 2, 1, 7, 0))
			s.applied(s.logs[1], 3)
		}, "sequence-twice"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newStory()
			test.tell(s)
			got := ""
			if v := s.world.broken; v != nil {
				got = v.Invariant
				t.Log(v)
			}
			if got != test.want {
				t.Errorf("the ledger says %q, want %q", got, test.want)
			}
		})
	}
}
