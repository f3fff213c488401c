package wal

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"troupe/partitions/id"
)

// segment is one segment file as the log knows it.
type segment struct {
	first id.Index
	// size grows while the segment is the last one, and shrinks with a cut. Guarded by Log.mu.
	size int64
	// index is nil until it is needed, but for the last segment of a log that can be appended to. Guarded by Log.mu.
	index *sparse
}

// segmentNames picks the segment files out of a directory's names, in order.
func segmentNames(names []string) []id.Index {
	var firsts []id.Index
	for _, name := range names {
		if len(name) != 20 {
			continue
		}
		if first, err := strconv.ParseUint(name, 10, 64); err == nil && first > 0 {
			firsts = append(firsts, id.Index(first))
		}
	}
	slices.Sort(firsts)
	return firsts
}

// readSegment reads a whole segment file.
func readSegment(directory string, first id.Index) (SegmentBytes, error) {
	b, err := os.ReadFile(filepath.Join(directory, segmentName(first)))
	return SegmentBytes{First: first, Bytes: b}, err
}

// entryBytes is what an entry with a frame of n bytes takes in a segment.
func entryBytes(n int) int64 {
	var length [binary.MaxVarintLen64]byte
	return int64(binary.PutUvarint(length[:], uint64(n)) + n)
}
