package simulation

// The bugs that only several brokers can have.
var plantedAmongSeveral = []bug{
	{
		name: "a vote that is not synced",
		changes: []change{{"simulation/twin.go", "case kept.Term != s.HardState.Term || kept.Vote != s.HardState.Vote:\n\t\terr = t.keep(s)",
			"case kept.Term != s.HardState.Term || kept.Vote != s.HardState.Vote:\n\t\terr = t.scratch(s)"}},
		found: []string{"vote-forgotten", "term-forgotten"},
		nodes: "3",
	},
	{
		name:    "a change of the voters forgotten",
		changes: []change{{"partitions/configuration.go", "proven, change = max(proven, change), e.Index", "proven, change = max(proven, 0*change), e.Index"}},
		found:   []string{"two-leaders", "leader-completeness", "applied-differs", "not-live"},
		nodes:   "3",
	},
	{
		name: "followers acknowledge before they have synced",
		changes: []change{{"partitions/writes.go", "\tr.hand(w, p)\n}\n\n// noteState",
			"\tearly := p.responses\n\tp.responses = nil\n\tr.hand(w, p)\n\tfor _, m := range early {\n\t\tr.deliver(m)\n\t}\n}\n\n// noteState"}},
		found: []string{"ack-before-durable", "vote-forgotten", "term-forgotten", "leader-completeness", "replica: raft: tocommit"},
		nodes: "3",
	},
	{
		name: "a vote for whoever asks",
		changes: []change{{"partitions/peers.go", "func() error { return r.node.Step(m.raft) }", "func() error {\n" +
			"\t\tif k := m.Kind(); k == KindVote || k == KindPreVote {\n\t\t\tnewest := uint64(1 << 40)\n\t\t\tm.raft.LogTerm, m.raft.Index = &newest, &newest\n\t\t}\n" +
			"\t\treturn r.node.Step(m.raft)\n\t}"}},
		found: []string{"leader-completeness", "applied-differs"},
		nodes: "3",
	},
	{
		name:    "producers are not part of a checkpoint",
		changes: []change{{"partitions/apply.go", "\ta.producers.restore(c.Producers)\n", ""}},
		found:   []string{"sequence-twice", "sequence-forgotten", "duplicate", "replica: a producer's sequences follow one another"},
		nodes:   "3",
	},
	{
		name: "a forward whose answer is lost told as not done",
		changes: []change{{"actors/request.go", "func (q *produceRequest) lost(why error) error {\n\treturn fmt.Errorf(\"%w: %v\", partitions.ErrOutcomeUnknown, why)",
			"func (q *produceRequest) lost(why error) error {\n\treturn fmt.Errorf(\"%w: %v\", partitions.ErrNotReady, why)"}},
		found: []string{"aborted-read", "duplicate"},
		nodes: "3",
	},
	{
		name:    "a watermark one too high",
		changes: []change{{"partitions/fetch.go", "HighWatermark: r.applied.next, Term", "HighWatermark: r.applied.next + 1, Term"}},
		found:   []string{"watermark-fell", "uncommitted-read"},
		nodes:   "3",
	},
}
