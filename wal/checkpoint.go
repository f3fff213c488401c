package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"troupe/partitions"
	"troupe/partitions/id"
)

// A checkpoint file, little endian. It is named checkpoint-<index in 20 digits>.
//
//	 0       4        8         9       10         16        24
//	+-------+--------+---------+-------+----------+---------+---------------------------------+
//	| magic | crc32c | version | flags | zero × 6 | replica | checkpoint (partitions' bytes)  |
//	+-------+--------+---------+-------+----------+---------+---------------------------------+
//	        |        |<----------------- covered by the checksum -----------------------------|
//
// Two exist: base, from which the log can be replayed whole, and the newest. A checkpoint that does not verify is passed
// over for the one before it as long as every entry behind that one is in the log: replaying them gives the same state.
const (
	checkpointVersion  = 1
	checkpointOverhead = 24
	checkpointPrefix   = "checkpoint-"
)

var checkpointMagic = [4]byte{0xF5, 'T', 'R', 'C'}

// AppendCheckpoint appends the bytes of a checkpoint file to dst and returns the result.
func AppendCheckpoint(dst []byte, owner id.Replica, c *partitions.Checkpoint) []byte {
	at := len(dst)
	dst = append(dst, checkpointMagic[:]...)
	dst = append(dst, 0, 0, 0, 0, checkpointVersion, 0, 0, 0, 0, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(owner))
	dst = c.AppendTo(dst)
	binary.LittleEndian.PutUint32(dst[at+4:], checksum(0, dst[at+8:]))
	return dst
}

// ParseCheckpoint reads a checkpoint file of owner. Its errors unwrap to partitions.ErrDamaged or partitions.ErrNewer.
func ParseCheckpoint(b []byte, owner id.Replica) (*partitions.Checkpoint, error) {
	le := binary.LittleEndian
	if len(b) < checkpointOverhead || [4]byte(b) != checkpointMagic || le.Uint32(b[4:]) != checksum(0, b[8:]) {
		return nil, fmt.Errorf("checksum does not verify: %w", partitions.ErrDamaged)
	}
	if b[8] != checkpointVersion || b[9] != 0 || [6]byte(b[10:]) != [6]byte{} {
		return nil, fmt.Errorf("version %d, flags %#x: %w", b[8], b[9], partitions.ErrNewer)
	}
	if r := id.Replica(le.Uint64(b[16:])); r != owner {
		return nil, fmt.Errorf("belongs to replica %d, not %d: %w", r, owner, partitions.ErrDamaged)
	}
	c, err := partitions.ParseCheckpoint(b[checkpointOverhead:])
	if errors.Is(err, partitions.ErrMalformed) {
		return nil, fmt.Errorf("%w: %w", err, partitions.ErrDamaged)
	}
	return c, err
}

// checkpoints are the checkpoint files of one replica.
type checkpoints struct {
	sys       system
	directory string
	owner     id.Replica
	indices   []id.Index // of the files, ascending
	bytes     atomic.Int64
}

// openCheckpoints lists the files and returns the newest checkpoint that verifies, nil if none does.
func openCheckpoints(sys system, directory string, owner id.Replica, names []string) (*checkpoints, *partitions.Checkpoint, error) {
	c := &checkpoints{sys: sys, directory: directory, owner: owner}
	for _, name := range names {
		digits, ok := strings.CutPrefix(name, checkpointPrefix)
		if index, err := strconv.ParseUint(digits, 10, 64); ok && err == nil && len(digits) == 20 {
			c.indices = append(c.indices, id.Index(index))
		}
	}
	slices.Sort(c.indices)
	var newest *partitions.Checkpoint
	for _, index := range slices.Backward(c.indices) {
		b, err := os.ReadFile(c.path(index))
		if err != nil {
			return nil, nil, err
		}
		c.bytes.Add(int64(len(b)))
		if newest != nil {
			continue
		}
		found, err := ParseCheckpoint(b, owner)
		if errors.Is(err, partitions.ErrNewer) {
			return nil, nil, fmt.Errorf("%s: %w", filepath.Base(c.path(index)), err)
		}
		if err == nil && found.Index == index {
			newest = found
		}
	}
	return c, newest, nil
}

// save makes a checkpoint durable as the newest one and removes those between base and it.
func (c *checkpoints) save(p *partitions.Checkpoint) error {
	b := AppendCheckpoint(nil, c.owner, p)
	if err := replaceFile(c.sys, c.path(p.Index), b); err != nil {
		return err
	}
	if !slices.Contains(c.indices, p.Index) {
		c.indices = append(c.indices, p.Index)
		slices.Sort(c.indices)
		c.bytes.Add(int64(len(b)))
	}
	return c.thin(p.Index)
}

// thin removes every checkpoint but base and the newest. A crash before that leaves more of them, which does no harm: the
// next call removes them.
func (c *checkpoints) thin(newest id.Index) error {
	kept := c.indices[:0:0]
	for i, index := range c.indices {
		if i == 0 || index == newest {
			kept = append(kept, index)
			continue
		}
		path := c.path(index)
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if err := os.Remove(path); err != nil {
			return err
		}
		c.bytes.Add(-info.Size())
	}
	c.indices = kept
	return nil
}

func (c *checkpoints) path(index id.Index) string {
	return filepath.Join(c.directory, checkpointName(index))
}

func checkpointName(index id.Index) string { return checkpointPrefix + segmentName(index) }
