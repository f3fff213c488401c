package wal

import (
	"bytes"
	"encoding/binary"

	"troupe/partitions"
	"troupe/partitions/id"
)

// AppendEntry appends to dst what a segment file holds for one entry: tidwall's length, then the frame. tidwall writes the
// same; this is for whoever keeps segments without it.
func AppendEntry(dst []byte, owner id.Replica, e partitions.Entry, synced id.Index) []byte {
	dst = binary.AppendUvarint(dst, uint64(FrameOverhead+len(e.Payload)))
	return AppendFrame(dst, owner, e, synced)
}

const (
	// leastEntry is the size of the smallest entry: a length of one byte and a frame without payload.
	leastEntry = 1 + FrameOverhead
	// resyncFactor bounds the bytes checksummed while resynchronising, in multiples of the segment: a payload full of
	// magics must not turn the opening of a torn log into hours.
	resyncFactor = 16
)

// walker reads the entries of one segment, or of a part of it that begins with an entry.
type walker struct {
	owner  id.Replica
	bytes  []byte
	at     int      // position of the next entry
	expect id.Index // the index it must have
	budget int      // bytes that resynchronising may still checksum
}

// step is what a walker found between two positions: a frame that verifies, or (bad) bytes that do not.
type step struct {
	at, end int
	index   id.Index // of the frame; the first one missing where bad
	bad     bool
	frame   Frame
}

func walk(owner id.Replica, b []byte, first id.Index) walker {
	return walker{owner: owner, bytes: b, expect: first, budget: resyncFactor * len(b)}
}

// next returns the next step; ok is false at the end. After a bad step comes a frame with a higher index, or the end. The
// only error is partitions.ErrNewer.
func (w *walker) next() (s step, ok bool, err error) {
	if w.at == len(w.bytes) {
		return step{}, false, nil
	}
	s = step{at: w.at, index: w.expect}
	size, n := binary.Uvarint(w.bytes[w.at:])
	if n > 0 && size <= uint64(len(w.bytes)-w.at-n) {
		s.end = w.at + n + int(size)
		s.frame, err = parseFrame(w.bytes[w.at+n:s.end], w.owner)
		if err == nil && s.frame.Entry.Index == w.expect {
			w.at, w.expect = s.end, w.expect+1
			return s, true, nil
		}
		if err != nil && err != errFrame {
			return step{}, false, err
		}
	}
	s.bad, s.frame = true, Frame{}
	if err = w.resync(); err != nil {
		return step{}, false, err
	}
	s.end = w.at
	return s, true, nil
}

// resync moves to the next entry that verifies and could belong here, or to the end.
func (w *walker) resync() error {
	from := w.at
	for search := from; ; {
		hit := bytes.Index(w.bytes[search:], frameMagic[:])
		if hit < 0 {
			w.at = len(w.bytes)
			return nil
		}
		magic := search + hit
		// The length before the magic takes 1 to 5 bytes; which of them is only told by the checksum.
		for start := magic - 1; start > from && start >= magic-5; start-- {
			index, ok, err := w.entryAt(start, magic)
			if err != nil {
				return err
			}
			if ok && index > w.expect && uint64(index-w.expect) <= uint64((start-from)/leastEntry) {
				w.at, w.expect = start, index
				return nil
			}
		}
		search = magic + 1
	}
}

// entryAt tells the index of the entry whose length is at start and whose frame is at magic, if it verifies.
func (w *walker) entryAt(start, magic int) (index id.Index, ok bool, err error) {
	size, n := binary.Uvarint(w.bytes[start:magic])
	if n != magic-start || size < FrameOverhead || size > uint64(len(w.bytes)-magic) || w.budget < int(size) {
		return 0, false, nil
	}
	w.budget -= int(size)
	f, err := parseFrame(w.bytes[magic:magic+int(size)], w.owner)
	switch err {
	case nil:
		return f.Entry.Index, true, nil
	case errFrame:
		return 0, false, nil
	}
	return 0, false, err
}
