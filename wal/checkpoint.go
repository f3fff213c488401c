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

// A checkpoint file, little endian. It is named checkpoint-<index in 20 digits>, or base-<index>.
//
//	 0       4        8         9       10         16        24
//	+-------+--------+---------+-------+----------+---------+---------------------------------+
//	| magic | crc32c | version | flags | zero × 6 | replica | checkpoint (partitions' bytes)  |
//	+-------+--------+---------+-------+----------+---------+---------------------------------+
//	        |        |<----------------- covered by the checksum -----------------------------|
//
// Two exist: base, from which the log can be replayed whole, and the newest. At birth one file is both; it stays the base
// until the front of the log is dropped for the first time, which makes a file base-<index>. That name alone says that the
// segments at or below its index are no longer wanted (FrontSegments): an older checkpoint file never does, because a crash
// may leave any of those, and the records behind it are wanted. A file snapshot-<index> is no checkpoint yet: see
// install.go.
//
// A checkpoint that does not verify is passed over for the one before it as long as every entry behind that one is in the
// log: replaying them gives the same state.
const (
	checkpointVersion  = 1
	checkpointOverhead = 24
	checkpointPrefix   = "checkpoint-"
	basePrefix         = "base-"
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

// stands tells where a checkpoint stands; nowhere when there is none.
func stands(c *partitions.Checkpoint) (id.Index, id.Term) {
	if c == nil {
		return 0, 0
	}
	return c.Index, c.Term
}

// FrontSegments tells how many segments at the front of a log lie wholly at or below its base, and so are leftovers of a
// DropFront. firsts are the first indices of all its segments, ascending. The last segment is never among them. It is the
// whole decision: who keeps segments elsewhere than in files calls it too.
func FrontSegments(firsts []id.Index, base id.Index) int {
	n := 0
	for n+1 < len(firsts) && firsts[n+1] <= base+1 {
		n++
	}
	return n
}

// checkpoints are the checkpoint files of one replica.
type checkpoints struct {
	sys       system
	directory string
	owner     id.Replica
	indices   []id.Index // of the files named checkpoint, ascending
	bases     []id.Index // of the files named base, ascending
	bytes     atomic.Int64
}

// openCheckpoints lists the files.
func openCheckpoints(sys system, directory string, owner id.Replica, names []string) *checkpoints {
	return &checkpoints{
		sys: sys, directory: directory, owner: owner,
		indices: indicesOf(names, checkpointPrefix), bases: indicesOf(names, basePrefix),
	}
}

// indicesOf picks the files with a prefix out of a directory's names, in order.
func indicesOf(names []string, prefix string) []id.Index {
	var all []id.Index
	for _, name := range names {
		digits, ok := strings.CutPrefix(name, prefix)
		if index, err := strconv.ParseUint(digits, 10, 64); ok && err == nil && len(digits) == 20 {
			all = append(all, id.Index(index))
		}
	}
	slices.Sort(all)
	return all
}

// begins is the index behind which the log begins, by the names of the files: that through which its front was dropped, or of
// the birth checkpoint, which is there until then. 0: they do not tell.
func (c *checkpoints) begins() id.Index {
	if dropped := c.dropped(); dropped != 0 || len(c.indices) == 0 {
		return dropped
	}
	return c.indices[0]
}

// dropped is the index through which the front of the log was dropped; 0: never.
func (c *checkpoints) dropped() id.Index {
	if len(c.bases) == 0 {
		return 0
	}
	return c.bases[len(c.bases)-1]
}

// listed tells whether there is a checkpoint of an entry, by its name.
func (c *checkpoints) listed(index id.Index) bool {
	return slices.Contains(c.indices, index) || slices.Contains(c.bases, index)
}

// load returns the newest checkpoint that verifies, and the one just before the log's first entry; nil for what there is
// not.
func (c *checkpoints) load(first id.Index) (newest, base *partitions.Checkpoint, err error) {
	take := func(name string, index id.Index) error {
		found, err := c.read(name, index)
		if err != nil || found == nil {
			return err
		}
		if newest == nil || index > newest.Index {
			newest = found
		}
		if index+1 == first {
			base = found
		}
		return nil
	}
	for _, index := range c.indices {
		if err := take(checkpointName(index), index); err != nil {
			return nil, nil, err
		}
	}
	for _, index := range c.bases {
		if err := take(baseName(index), index); err != nil {
			return nil, nil, err
		}
	}
	return newest, base, nil
}

// read returns a checkpoint, nil if it does not verify.
func (c *checkpoints) read(name string, index id.Index) (*partitions.Checkpoint, error) {
	b, err := os.ReadFile(filepath.Join(c.directory, name))
	if err != nil {
		return nil, err
	}
	c.bytes.Add(int64(len(b)))
	found, err := ParseCheckpoint(b, c.owner)
	if errors.Is(err, partitions.ErrNewer) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err != nil || found.Index != index {
		return nil, nil
	}
	return found, nil
}

// save makes a checkpoint durable as the newest one, and removes what it replaces.
func (c *checkpoints) save(p *partitions.Checkpoint) error {
	if err := c.write(checkpointName(p.Index), p); err != nil {
		return err
	}
	c.indices = included(c.indices, p.Index)
	return c.thin()
}

// saveBase makes a checkpoint durable as the base. What it replaces is removed by thin, once nobody needs it.
func (c *checkpoints) saveBase(p *partitions.Checkpoint) error {
	if err := c.write(baseName(p.Index), p); err != nil {
		return err
	}
	c.bases = included(c.bases, p.Index)
	return nil
}

func (c *checkpoints) write(name string, p *partitions.Checkpoint) error {
	path := filepath.Join(c.directory, name)
	replaced, _ := os.Stat(path)
	b := AppendCheckpoint(nil, c.owner, p)
	if err := replaceFile(c.sys, path, b); err != nil {
		return err
	}
	c.bytes.Add(int64(len(b)))
	if replaced != nil {
		c.bytes.Add(-replaced.Size())
	}
	return nil
}

// included returns a sorted list with an index in it.
func included(all []id.Index, index id.Index) []id.Index {
	if at, found := slices.BinarySearch(all, index); !found {
		all = slices.Insert(all, at, index)
	}
	return all
}

// thin removes every checkpoint but base and the newest. A crash before that leaves more of them, which does no harm: the
// next call removes them.
func (c *checkpoints) thin() error {
	for len(c.bases) > 1 {
		if err := c.remove(baseName(c.bases[0])); err != nil {
			return err
		}
		c.bases = c.bases[1:]
	}
	at := 1 // the lowest checkpoint is the base
	if len(c.bases) > 0 {
		at = 0
	}
	for len(c.indices) > at+1 {
		if err := c.remove(checkpointName(c.indices[at])); err != nil {
			return err
		}
		c.indices = slices.Delete(c.indices, at, at+1)
	}
	return nil
}

func (c *checkpoints) remove(name string) error {
	path := filepath.Join(c.directory, name)
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := c.sys.remove(path); err != nil {
		return err
	}
	c.bytes.Add(-info.Size())
	return nil
}

func checkpointName(index id.Index) string { return checkpointPrefix + segmentName(index) }

func baseName(index id.Index) string { return basePrefix + segmentName(index) }
