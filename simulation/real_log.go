package simulation

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"
	"troupe/wal"
)

// realLog is a log of the production wal, and counts what the run wants to have seen.
type realLog struct {
	partitions.Log
	disk      *RealDisk
	partition id.Partition
	replica   id.Replica
	failed    bool
	closed    bool
}

// mark counts what has succeeded, and notes what may have poisoned the log.
func (l *realLog) mark(mark Mark, err error) error {
	if err == nil {
		l.disk.world.marks.count(mark)
	}
	return l.noted(err)
}

func (l *realLog) noted(err error) error {
	l.failed = l.failed || err != nil
	return err
}

// Append implements partitions.Log.
func (l *realLog) Append(writes []partitions.Write) error {
	err := l.Log.Append(writes)
	if slices.ContainsFunc(writes, func(w partitions.Write) bool { return w.Snapshot != nil }) {
		return l.mark(MarkInstalled, err)
	}
	return l.noted(err)
}

// Sync implements partitions.Log.
func (l *realLog) Sync() error { return l.noted(l.Log.Sync()) }

// SaveCheckpoint implements partitions.Log.
func (l *realLog) SaveCheckpoint(c *partitions.Checkpoint) error {
	err := l.mark(MarkCheckpoint, l.Log.SaveCheckpoint(c))
	l.postponed(err)
	return err
}

// DropFront implements partitions.Log.
func (l *realLog) DropFront(base *partitions.Checkpoint) error {
	err := l.mark(MarkFrontDropped, l.Log.DropFront(base))
	l.postponed(err)
	return err
}

func (l *realLog) postponed(err error) {
	if errors.Is(err, partitions.ErrDiskFull) {
		l.disk.world.marks.count(MarkCheckpointPostponed)
	}
}

// Rest implements partitions.Log.
func (l *realLog) Rest() error { return l.mark(MarkRest, l.Log.Rest()) }

// Fill implements partitions.Log. What changes files has filled a hole.
func (l *realLog) Fill(entries []partitions.Entry) error {
	before := l.disk.device.done
	err := l.Log.Fill(entries)
	if l.disk.device.done > before {
		return l.mark(MarkHoleFilled, err)
	}
	return err
}

// Scrub implements partitions.Log.
func (l *realLog) Scrub(from id.Index) (next id.Index, read int64, err error) {
	next, read, err = l.Log.Scrub(from)
	switch {
	case errors.Is(err, partitions.ErrDamaged):
		l.disk.world.unharmed(l.partition, l.replica, "a scrub", err)
	case err == nil && next > 0:
		l.disk.world.marks.count(MarkScrub)
	}
	return next, read, err
}

// Close implements partitions.Log.
func (l *realLog) Close() error {
	err := l.noted(l.Log.Close())
	l.closed = true
	if l.failed {
		l.disk.doubted[l.replica] = true
	}
	return err
}

// lacks looks in a replica's directory, as a power loss would leave it, for acknowledged records. It returns why they are not
// there, or nothing.
func (p *inode) lacks(owner id.Replica, base id.Offset, sent []byte) string {
	why := fmt.Sprintf("no batch of replica %d begins there", owner)
	names := sortedKeys(p.durable)
	slices.Reverse(names) // the newest segment is the likeliest
	for _, name := range names {
		b := p.durable[name].file.synced
		if strings.HasPrefix(name, "base-") || strings.HasPrefix(name, snapshotPrefix) {
			if c, err := wal.ParseCheckpoint(b, owner); err == nil && base < c.NextOffset {
				return "" // it was durable, and deleted since
			}
		}
		if !(victim{name: name}).segment() {
			continue
		}
		held := false
		eachFrame(b, owner, func(_, _ int, f wal.Frame) {
			h, err := batch.ParseHeader(f.Entry.Payload)
			if f.Entry.Type != partitions.EntryBatch || err != nil || h.BaseOffset != base {
				return
			}
			// The newest one counts: an earlier one was cut off, and only its bytes are left.
			if held = bytes.Equal(f.Entry.Payload[batch.HeaderSize:], sent[batch.HeaderSize:]); !held {
				why = "other records are synced there"
			}
		})
		if held {
			return ""
		}
	}
	return why
}
