package partitions

import (
	"encoding/binary"
	"fmt"

	"troupe/partitions/id"
)

// The layouts written and read here. Another one is ErrNewer. Version 2 is written only where there is an assignment to
// tell: a partition whose replicas never changed keeps the layout that every Troupe reads.
const (
	checkpointVersion         = 1
	checkpointAssignedVersion = 2
)

// A checkpoint, little endian, no padding; whoever stores it adds the checksum.
//
//	 0        1         9        17
//	+---------+---------+---------+-----------+
//	| version | index   | term    | autoleave |
//	+---------+---------+---------+-----------+
//	| voters  | outgoing | learners | learners next |   each: count u32, then count × replica u64
//	+---------+----------+----------+---------------+
//	| nodes: count u32, then count × { replica u64, node u64 }  |
//	+------------+-------------+-----------+-------+------------+
//	| assignment | next offset | log start | clock |     i64 each; assignment, above 0, in version 2 only
//	+------------+-------------+-----------+-------+
//	| producers: count u32, then count × { producer i64, epoch i16, touched u64,       |
//	|            batches u8, then batches × { first i32, final i32, base i64 } }       |
//	+-----------+---------------------+------------------------------------------------+
//	| folded u8 | length u32 | fold   |   folded = 0: no fold, nothing follows
//	+-----------+------------+--------+
//
// Empty lists and absent ones are the same. Equal checkpoints have equal bytes, and whatever parses encodes to the bytes
// it was parsed from.

// AppendTo appends the encoded checkpoint to dst and returns the result.
func (c *Checkpoint) AppendTo(dst []byte) []byte {
	le := binary.LittleEndian
	version := byte(checkpointVersion)
	if c.Assignment > 0 {
		version = checkpointAssignedVersion
	}
	dst = append(dst, version)
	dst = le.AppendUint64(dst, uint64(c.Index))
	dst = le.AppendUint64(dst, uint64(c.Term))
	dst = appendBool(dst, c.Configuration.AutoLeave)
	for _, list := range c.Configuration.lists() {
		dst = le.AppendUint32(dst, uint32(len(*list)))
		for _, r := range *list {
			dst = le.AppendUint64(dst, uint64(r))
		}
	}
	dst = le.AppendUint32(dst, uint32(len(c.Nodes)))
	for _, n := range c.Nodes {
		dst = le.AppendUint64(dst, uint64(n.Replica))
		dst = le.AppendUint64(dst, uint64(n.Node))
	}
	if c.Assignment > 0 {
		dst = le.AppendUint64(dst, uint64(c.Assignment))
	}
	dst = le.AppendUint64(dst, uint64(c.NextOffset))
	dst = le.AppendUint64(dst, uint64(c.LogStart))
	dst = le.AppendUint64(dst, uint64(c.Clock))
	dst = le.AppendUint32(dst, uint32(len(c.Producers)))
	for i := range c.Producers {
		dst = c.Producers[i].appendTo(dst)
	}
	dst = appendBool(dst, c.Fold != nil)
	if c.Fold != nil {
		dst = le.AppendUint32(dst, uint32(len(c.Fold)))
		dst = append(dst, c.Fold...)
	}
	return dst
}

// lists names the four lists in the order of the encoding.
func (c *Configuration) lists() [4]*[]id.Replica {
	return [4]*[]id.Replica{&c.Voters, &c.Outgoing, &c.Learners, &c.LearnersNext}
}

func (p *ProducerState) appendTo(dst []byte) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint64(dst, uint64(p.Producer))
	dst = le.AppendUint16(dst, uint16(p.Epoch))
	dst = le.AppendUint64(dst, uint64(p.Touched))
	dst = append(dst, byte(len(p.Last)))
	for _, a := range p.Last {
		dst = le.AppendUint32(dst, uint32(a.First))
		dst = le.AppendUint32(dst, uint32(a.Final))
		dst = le.AppendUint64(dst, uint64(a.Base))
	}
	return dst
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// ParseCheckpoint reads what AppendTo wrote. It shares no memory with b. It returns ErrMalformed for bytes that are no
// checkpoint, and ErrNewer for a layout that this program does not know.
func ParseCheckpoint(b []byte) (*Checkpoint, error) {
	d := decoder{rest: b}
	version := d.u8()
	if !d.short && version != checkpointVersion && version != checkpointAssignedVersion {
		return nil, fmt.Errorf("checkpoint of version %d, this program knows %d: %w", version, checkpointAssignedVersion, ErrNewer)
	}
	c := &Checkpoint{Index: id.Index(d.u64()), Term: id.Term(d.u64())}
	c.Configuration.AutoLeave = d.bool()
	for _, list := range c.Configuration.lists() {
		*list = make([]id.Replica, d.count(8))
		for i := range *list {
			(*list)[i] = id.Replica(d.u64())
		}
		*list = nilIfEmpty(*list)
	}
	c.Nodes = make([]Placed, d.count(16))
	for i := range c.Nodes {
		c.Nodes[i] = Placed{Replica: id.Replica(d.u64()), Node: id.Node(d.u64())}
	}
	c.Nodes = nilIfEmpty(c.Nodes)
	if version == checkpointAssignedVersion {
		c.Assignment = id.Offset(d.u64())
		d.short = d.short || c.Assignment <= 0
	}
	c.NextOffset, c.LogStart, c.Clock = id.Offset(d.u64()), id.Offset(d.u64()), id.Timestamp(d.u64())
	c.Producers = make([]ProducerState, d.count(producerBytes))
	for i := range c.Producers {
		c.Producers[i] = d.producer()
	}
	c.Producers = nilIfEmpty(c.Producers)
	if d.bool() {
		c.Fold = append([]byte{}, d.take(d.count(1))...)
	}
	if d.short || len(d.rest) > 0 {
		return nil, fmt.Errorf("checkpoint of %d bytes: %w", len(b), ErrMalformed)
	}
	return c, nil
}

func nilIfEmpty[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return s
}

// producerBytes is what a producer without batches takes; appendedBytes one of its batches.
const (
	producerBytes = 8 + 2 + 8 + 1
	appendedBytes = 4 + 4 + 8
)

// decoder reads fixed-width fields. After the first one that does not fit, short is set and everything reads as zero.
type decoder struct {
	rest  []byte
	short bool
}

func (d *decoder) take(n int) []byte {
	if d.short || n > len(d.rest) {
		d.short = true
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) u8() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) u16() uint16 {
	if b := d.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (d *decoder) u32() uint32 {
	if b := d.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) u64() uint64 {
	if b := d.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// bool accepts 0 and 1 only, so that a value has one encoding.
func (d *decoder) bool() bool {
	v := d.u8()
	d.short = d.short || v > 1
	return v == 1
}

// count reads how many items of at least size bytes follow. It trusts no number that the remaining bytes cannot hold.
func (d *decoder) count(size int) int {
	n := d.u32()
	if d.short || uint64(n)*uint64(size) > uint64(len(d.rest)) {
		d.short = true
		return 0
	}
	return int(n)
}

func (d *decoder) producer() ProducerState {
	p := ProducerState{Producer: id.Producer(d.u64()), Epoch: int16(d.u16()), Touched: id.Index(d.u64())}
	n := int(d.u8())
	if n*appendedBytes > len(d.rest) {
		d.short = true
		return p
	}
	for range n {
		p.Last = append(p.Last, Appended{First: int32(d.u32()), Final: int32(d.u32()), Base: id.Offset(d.u64())})
	}
	return p
}
