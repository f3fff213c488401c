package simulation

// More bugs that only several brokers can have, in what replicas promise each other. `make planted` looks for them.
var plantedInReplicas = []bug{
	{
		name: "a quorum is the leader's own disk",
		changes: []change{
			{"partitions/append.go", "			if w.acks == AcksLeader {", "			if w.acks == AcksLeader || r.options.Fold == nil {"},
			{"partitions/append.go", "return w.acks == AcksLeader", "return w.acks == AcksLeader || r.options.Fold == nil"},
		},
		found: []string{"ack-before-durable"},
		nodes: "3",
	},
	{
		name:    "a vote is given before it is durable",
		changes: []change{{"partitions/writes.go", "elected = state.Term != r.writes.state.Term || state.Vote != r.writes.state.Vote", "elected = false"}},
		found:   []string{"two-leaders", "vote-forgotten"},
		nodes:   "3",
	},
	{
		name:    "a restart forgets the vote",
		changes: []change{{"partitions/raft_storage.go", "Vote: new(uint64(s.state.Vote))", "Vote: new(uint64(0))"}},
		found:   []string{"voted-twice"},
		nodes:   "3",
	},
	{
		name: "a commit index is stored one too high",
		changes: []change{
			{"simulation/twin_open.go", "state.Commit = min(last, max(state.Commit, index))", "state.Commit = max(state.Commit, index)"},
			{"simulation/twin.go", "return wal.Slot{Replica: t.owner, HardState: t.state,",
				"return wal.Slot{Replica: t.owner, HardState: partitions.HardState{Term: t.state.Term, Vote: t.state.Vote, Commit: t.state.Commit + 1},"},
		},
		found: []string{"commit-beyond-log", "false-damage"},
		nodes: "3",
	},
	{
		name: "a producer that is not known is believed, and a checkpoint forgets them",
		changes: []change{
			{"partitions/apply.go", "	a.producers.restore(c.Producers)\n", ""},
			{"partitions/producers.go", "	case s == nil && h.FirstSequence == 0:", "	case s == nil:"},
		},
		found: []string{"sequence-twice"},
		nodes: "3",
	},
	{
		name: "a replica that has forgotten begins again under its id",
		changes: []change{{"simulation/disk.go", "	if err != nil {\n		if errors.Is(err, partitions.ErrDamaged) {\n			d.world.damaged", `	if err == nil && t.recovered.Damage != nil && t.recovered.Damage.Kind == partitions.DamageAmnesia {
		for _, name := range d.device.volume.List(t.directory) {
			_ = d.device.unlink(t.file(name))
		}
		t = d.twin(p, r)
		if err = t.born(nil, partitions.HardState{}); err == nil {
			err = t.open(&knowledge{})
		}
	}
	if err != nil {
		if errors.Is(err, partitions.ErrDamaged) {
			d.world.damaged`}},
		found: []string{"term-forgotten"},
		nodes: "3",
	},
	{
		name:    "the catalog forgets which replica ids it gave",
		changes: []change{{"partitions/catalog/snapshot.go", "	s.NextReplica = id.Replica(r.uvarint())", "	r.uvarint()"}},
		found:   []string{"replica-id-reused"},
		nodes:   "3",
	},
	{
		name:    "producer ids are given by each leader of the catalog",
		changes: []change{{"partitions/catalog/commands.go", "	next.NextProducer += id.Producer(c.Count)", "	next.NextProducer++"}},
		found:   []string{"producer-id-reused"},
		nodes:   "3",
	},
	{
		name: "what is proposed counts as committed",
		changes: []change{
			{"partitions/fetch.go", "if f.Offset < r.applied.next {\n		r.read(f)", "if f.Offset < r.leading.next {\n		r.read(f)"},
			{"partitions/fetch.go", "r.log.tail.batches(f.Offset, r.applied.next, f.MaxBytes)", "r.log.tail.batches(f.Offset, r.leading.next, f.MaxBytes)"},
			{"partitions/fetch.go", "HighWatermark: r.applied.next, Term", "HighWatermark: max(r.applied.next, r.leading.next), Term"},
		},
		found: []string{"watermark-fell", "inconsistent-offsets"},
		nodes: "3",
	},
	{
		name: "a leader serves before its term's first entry",
		changes: []change{{"partitions/writes.go", "		r.counts.Elections++", `		r.counts.Elections++
		r.ready = true
		r.leading = leading{next: r.applied.next, clock: r.applied.clock, producers: map[id.Producer]*inFlight{}}`}},
		found: []string{"watermark-fell", "dense-offsets", "replica: offsets are dense"},
		nodes: "3",
	},
	{
		name:    "what a deposed leader proposed is told as not done",
		changes: []change{{"partitions/append.go", "r.term, ErrOutcomeUnknown), nil)", "r.term, ErrNotReady), nil)"}},
		found:   []string{"aborted-read"},
		nodes:   "3",
	},
	{
		name: "a peer gives back other entries",
		changes: []change{{"actors/mending.go", "m.entries, m.err = log.Entries(q.lo, hi, entriesAtOnce)", `m.entries, m.err = log.Entries(q.lo, hi, entriesAtOnce)
		for i := range m.entries {
			m.entries[i].Type = partitions.EntryEmpty
			m.entries[i].Payload = nil
		}`}},
		found:  []string{"log-matching"},
		nodes:  "3",
		length: "60s",
	},
	{
		name:    "wal does not sync a directory in which a segment began",
		changes: []change{{"wal/log.go", "if err := l.sys.syncDirectory(l.directory); err != nil {", "if err := error(nil); err != nil {"}},
		found:   []string{"ack-before-durable", "not-live"},
		disk:    "real",
	},
	{
		name: "an answer of a deposed leader is believed",
		changes: []change{
			{"actors/hearing.go", "q.answer(h.leaders.route(h.partition).fetched(a))", "q.answer(a)"},
			{"actors/hearing.go", "q.answer(h.leaders.route(h.partition).listed(a))", "q.answer(a)"},
		},
		found: []string{"stale-leader"},
		nodes: "5",
	},
	{
		name:    "a leader that was deposed goes on answering",
		changes: []change{{"partitions/fetch.go", "if err := r.serving(); err != nil {", "if err := r.serving(); err != nil && (r.failure != nil || r.role != RoleFollower || r.applied.index == 0) {"}},
		found:   []string{"stale-leader", "watermark-fell"},
		nodes:   "3",
	},
	{
		name: "where a partition ends is answered without a quorum",
		changes: []change{{"partitions/offsets.go", `		r.latest = append(r.latest, latest{list: l})
		r.node.ReadIndex(binary.LittleEndian.AppendUint64(nil, uint64(l.Request)))
		r.drain()`, "		r.answerOffsets(l, r.applied.next, nil)\n		_ = binary.LittleEndian"}},
		found: []string{"watermark-fell", "not-linearizable"},
		nodes: "5",
	},
	{
		name:    "a snapshot is sent without producers",
		changes: []change{{"partitions/peers.go", "	c, to := *r.trimming.base, id.Replica(m.GetTo())", "	c, to := *r.trimming.base, id.Replica(m.GetTo())\n	c.Producers = nil"}},
		found:   []string{"sequence-twice", "duplicate", "sequence-forgotten", "producer-forgotten"},
		nodes:   "3",
	},
	{
		name:    "a snapshot is installed without producers",
		changes: []change{{"partitions/peers.go", "	r.applied.restore(c)\n", "	r.applied.restore(c)\n	r.applied.producers.restore(nil)\n"}},
		found:   []string{"sequence-twice", "duplicate", "sequence-forgotten", "producer-forgotten"},
		nodes:   "3",
	},
}
