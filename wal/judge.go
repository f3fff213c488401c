package wal

import (
	"fmt"

	"troupe/partitions"
	"troupe/partitions/id"
)

// judge decides about a whole log as an opening decides about its end: what is torn, and what is damage of which kind.
func (i *Inspection) judge(w *surveyor) {
	for len(i.contents) < len(w.runs) {
		i.contents = append(i.contents, content{})
	}
	known := Known{
		Durable: max(i.slot.Durable, i.newest.Index), Commit: max(i.slot.HardState.Commit, i.newest.Index),
	}
	if i.slot.Replica == 0 {
		// Nothing tells any more what was durable: everything that verifies is kept, and what is missing before it counts.
		for _, r := range w.runs {
			known.Durable = max(known.Durable, r.last)
		}
	}
	i.verdict, i.believed = w.judge(known)
	v := i.verdict
	i.First, i.Last, i.Durable = w.firsts[0], v.Last, v.Durable
	i.judgeFront()
	for n, r := range i.believed {
		c := &i.contents[n]
		i.Frames, i.Batches, i.Records = i.Frames+c.frames, i.Batches+c.batches, i.Records+c.records
		if n > 0 {
			before := i.believed[n-1]
			i.found(Finding{Health: HealthHole, File: segmentName(w.firsts[before.segment]), At: int64(before.end), Index: before.last + 1,
				Text: missingEntries(before.last+1, r.first-1)})
		}
		if c.anchored {
			i.Next = max(i.Next, c.next)
		}
	}
	switch d := v.Damage; {
	case d != nil && d.Kind == partitions.DamageAmnesia:
		i.found(Finding{Health: HealthAmnesia, File: d.File, At: d.At, Index: d.Index, Text: d.Reason})
	case d == nil:
		if i.Torn = w.behind(v); i.Torn > 0 {
			i.found(Finding{Health: HealthTorn, File: segmentName(w.firsts[v.Segment]), At: int64(v.At), Index: v.Last + 1,
				Text: fmt.Sprintf("%d bytes at the end were never acknowledged: the next opening cuts them off", i.Torn)})
		}
	}
	for n, t := range v.Terms {
		if n > 0 && t.Term < v.Terms[n-1].Term {
			i.found(Finding{Health: HealthWrong, Index: t.Index,
				Text: fmt.Sprintf("entry %d is of term %d, behind entries of term %d", t.Index, t.Term, v.Terms[n-1].Term)})
		}
	}
	for _, c := range i.Checkpoints {
		if c.Checkpoint == nil {
			continue
		}
		if next, known := i.next[c.Checkpoint.Index]; known && next != c.Checkpoint.NextOffset {
			i.found(Finding{Health: HealthWrong, File: c.Name, Index: c.Checkpoint.Index,
				Text: fmt.Sprintf("the checkpoint says that offset %d follows entry %d, and the log says %d", c.Checkpoint.NextOffset, c.Checkpoint.Index, next)})
		}
	}
}

// judgeFront looks for what is missing in front of the first segment.
func (i *Inspection) judgeFront() {
	first := i.First
	if first > i.newest.Index+1 {
		i.found(Finding{Health: HealthAmnesia, File: segmentName(first), Index: i.newest.Index + 1,
			Text: fmt.Sprintf("the log begins at entry %d, and the newest checkpoint that verifies is of %d", first, i.newest.Index)})
		return
	}
	for _, c := range i.Checkpoints {
		if c.Name == baseName(first-1) || c.Name == checkpointName(first-1) {
			return
		}
	}
	for n := range i.believed {
		if c := &i.contents[n]; c.anchored && c.base <= i.newest.LogStart {
			i.found(Finding{Health: HealthSpare, Index: first - 1, Text: fmt.Sprintf(
				"the log begins at entry %d, and no checkpoint is of the one before; no record above the log start is missing", first)})
			return
		}
	}
	i.headless = true
	i.found(Finding{Health: HealthHole, File: segmentName(first), Index: first - 1,
		Text: fmt.Sprintf("the log begins at entry %d, no checkpoint is of the one before, and records are missing in front of it", first)})
}

// missingEntries is a sentence.
func missingEntries(from, to id.Index) string {
	if from == to {
		return fmt.Sprintf("entry %d does not verify, or is gone", from)
	}
	return fmt.Sprintf("the entries from %d to %d do not verify, or are gone", from, to)
}
