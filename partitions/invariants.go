package partitions

// Check panics with an InvariantError if the state contradicts itself. Tests and the simulator call it after every event;
// the cheap half of it stands in the code that changes the state.
func (r *Replica) Check() {
	if r.failure != nil {
		return
	}
	holds := func(ok bool, rule string, got, want any) {
		if !ok {
			panic(&InvariantError{rule, got, want})
		}
	}
	a := &r.applied
	holds(a.index <= r.log.last, "what is applied is in the log", a.index, r.log.last)
	holds(a.logStart <= a.next, "the log starts before it ends", a.logStart, a.next)
	holds(r.checkpoint.saved <= a.index && r.checkpoint.pending <= a.index,
		"a checkpoint holds applied state", r.checkpoint, a.index)
	holds(!r.ready || r.role == RoleLeader, "only a leader is ready", r.role, RoleLeader)
	for _, f := range r.parked {
		holds(f.Offset >= a.next, "a parked fetch waits at or above the high watermark", f.Offset, a.next)
	}
	holds(r.trimming.base == nil || r.log.first == r.trimming.base.Index+1, "the log continues from its base", r.log.first, r.trimming.base)
	sequence := r.writes.persisted
	for _, p := range r.writes.pending {
		holds(p.sequence == sequence+1, "writes become durable in order", p.sequence, sequence+1)
		sequence = p.sequence
	}
	holds(sequence == r.writes.handed, "every write is durable or pending", sequence, r.writes.handed)
	r.log.tail.check()
	a.producers.check()
	r.checkLeading(holds)
}

func (r *Replica) checkLeading(holds func(ok bool, rule string, got, want any)) {
	l := &r.leading
	if !r.ready {
		holds(len(l.proposals) == 0, "only a ready leader proposes", len(l.proposals), 0)
		return
	}
	next, bytes, index := r.applied.next, 0, r.applied.index
	for _, q := range l.proposals {
		holds(q.base == next, "proposals are dense from the high watermark", q.base, next)
		holds(q.index > index, "proposals rise with their index", q.index, index)
		next, index, bytes = q.next, q.index, bytes+q.bytes
	}
	holds(l.next == next, "the next offset follows the last proposal", l.next, next)
	holds(l.bytes == bytes, "the bytes in flight are counted", l.bytes, bytes)
	holds(r.applied.configuration.votes(r.options.Replica), "a leader votes", r.options.Replica, r.applied.configuration)
}
