package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"troupe/partitions"
	"troupe/partitions/id"
)

// A frame is what one entry of the log looks like on disk. tidwall/wal puts its length before it as an unsigned varint and
// knows nothing of its content. Little endian, fixed width:
//
//	 0       4        8         9      10      12     20      28            36       44
//	+-------+--------+---------+------+-------+------+-------+-------------+--------+-----------+
//	| magic | crc32c | version | type | flags | term | index | append time | synced | payload … |
//	+-------+--------+---------+------+-------+------+-------+-------------+--------+-----------+
//	        |        |<------------------- covered by the checksum ------------------------------|
//
// magic is F5 'T' 'R' 'F' (F5 occurs in no UTF-8 text): after damage, reading goes on at the next magic whose frame
// verifies. Magic and checksum keep their places in every future version, so that a newer frame is known for one instead
// of being taken for damage.
//
// The checksum (CRC-32C) starts from the replica's id, which is not stored: a frame of another log, be it a misplaced file
// or a copy of a log inside somebody's record, does not verify. It covers version, type and flags because a flipped type
// would otherwise be served as another entry.
//
// synced is the highest index known durable when the frame was written, hence below the frame's own index. It is what
// tells a tear from damage without a second fsync: see Survey.
const (
	frameVersion = 1
	// FrameOverhead is what a frame adds to its payload, in bytes.
	FrameOverhead = 44
)

var frameMagic = [4]byte{0xF5, 'T', 'R', 'F'}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errFrame says that bytes are no frame of this log. It carries no detail: which byte is wrong cannot be known.
var errFrame = errors.New("wal: checksum does not verify")

// Frame is a decoded frame. Its entry's payload shares memory with the bytes it was read from.
type Frame struct {
	Entry partitions.Entry
	// Synced is the highest index known durable when this frame was written. Always below Entry.Index.
	Synced id.Index
}

// AppendFrame appends the frame of an entry in the log of owner to dst and returns the result.
func AppendFrame(dst []byte, owner id.Replica, e partitions.Entry, synced id.Index) []byte {
	le := binary.LittleEndian
	at := len(dst)
	dst = append(dst, frameMagic[:]...)
	dst = append(dst, 0, 0, 0, 0, frameVersion, byte(e.Type), 0, 0)
	dst = le.AppendUint64(dst, uint64(e.Term))
	dst = le.AppendUint64(dst, uint64(e.Index))
	dst = le.AppendUint64(dst, uint64(e.AppendTime))
	dst = le.AppendUint64(dst, uint64(synced))
	dst = append(dst, e.Payload...)
	le.PutUint32(dst[at+4:], checksum(owner, dst[at+8:]))
	return dst
}

// ParseFrame reads the one frame that fills b exactly. It returns an error that unwraps to partitions.ErrDamaged when b is
// no frame of owner's log, and one that unwraps to partitions.ErrNewer when the checksum verifies over something that this
// program does not know.
func ParseFrame(b []byte, owner id.Replica) (Frame, error) {
	f, err := parseFrame(b, owner)
	if err == errFrame {
		return Frame{}, fmt.Errorf("frame of %d bytes: %w: %w", len(b), err, partitions.ErrDamaged)
	}
	return f, err
}

// parseFrame is ParseFrame returning errFrame itself, which costs nothing: resynchronising tries many places.
func parseFrame(b []byte, owner id.Replica) (Frame, error) {
	le := binary.LittleEndian
	if len(b) < FrameOverhead || [4]byte(b) != frameMagic || le.Uint32(b[4:]) != checksum(owner, b[8:]) {
		return Frame{}, errFrame
	}
	version, kind, flags := b[8], partitions.EntryType(b[9]), le.Uint16(b[10:])
	if version != frameVersion || flags != 0 || !knownType(kind) {
		return Frame{}, fmt.Errorf("frame of version %d, type %d, flags %#x: %w", version, kind, flags, partitions.ErrNewer)
	}
	f := Frame{
		Entry: partitions.Entry{
			Term:       id.Term(le.Uint64(b[12:])),
			Index:      id.Index(le.Uint64(b[20:])),
			Type:       kind,
			AppendTime: id.Timestamp(le.Uint64(b[28:])),
			Payload:    b[FrameOverhead:len(b):len(b)],
		},
		Synced: id.Index(le.Uint64(b[36:])),
	}
	if f.Synced >= f.Entry.Index {
		return Frame{}, errFrame // nothing that this program writes
	}
	return f, nil
}

func knownType(t partitions.EntryType) bool {
	return t >= partitions.EntryEmpty && t <= partitions.EntryGap
}

// checksum is the CRC-32C of b, started from the owner's id. The id's eight bytes are taken here, because a slice of them
// would be allocated for every frame.
func checksum(owner id.Replica, b []byte) uint32 {
	crc := ^uint32(0)
	for shift := 0; shift < 64; shift += 8 {
		crc = castagnoli[byte(crc)^byte(owner>>shift)] ^ crc>>8
	}
	return crc32.Update(^crc, castagnoli, b)
}
