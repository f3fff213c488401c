package wal

import (
	"slices"

	"troupe/partitions"
	"troupe/partitions/id"
)

// A change of the voters is two entries: one that begins it, from which on both quorums decide, and one that ends it, proposed
// once the first is committed. Raft takes a configuration when it is applied, which after a crash goes as far as the commit
// index that is remembered; and that one is written without an fsync. A replica with the end of a change in its log and the
// commit index of before would be elected by the old quorum alone, in a term in which the new one elects another. So the
// commit index that covers the changes so far is durable before the next one is written, and as soon as anything is synced:
// those who were voters before may be gone soon after.

// change prepares for an entry of type configuration: what was staged is written, and the commit index made durable, if it
// covers an earlier one.
func (l *Log) change(b *buffers, index id.Index) error {
	if l.coversChange() {
		if err := l.flush(b); err != nil {
			return err
		}
		if err := l.keepCommit(); err != nil {
			return l.poisoned("write of the hard state", err)
		}
	}
	l.changes = append(l.changes, index)
	return nil
}

// coversChange tells that the commit index covers a change, and the durable one does not.
func (l *Log) coversChange() bool { return len(l.changes) > 0 && l.changes[0] <= l.state.Commit }

// keepCommit makes the entries written so far durable, and then the commit index.
func (l *Log) keepCommit() error {
	if l.durable != l.last || l.renamed {
		if err := l.syncSegments(); err != nil {
			return err
		}
	}
	s := l.slot()
	s.HardState.Commit = min(s.HardState.Commit, l.durable)
	l.changes = slices.DeleteFunc(l.changes, func(i id.Index) bool { return i <= s.HardState.Commit })
	return l.slots.keep(s)
}

// changesAfter is what a log that was opened assumes: any entry above the commit index may be a change.
func changesAfter(r *partitions.Recovered) []id.Index {
	if r.Last > r.HardState.Commit {
		return []id.Index{r.HardState.Commit + 1}
	}
	return nil
}
