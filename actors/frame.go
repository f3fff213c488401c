package actors

import (
	"encoding/binary"
	"fmt"

	"troupe/partitions"
	"troupe/partitions/id"
)

// MaxFrameBytes is the size of the largest frame between two brokers: the largest batch there is, and what goes with it.
const MaxFrameBytes = 4<<20 + 64<<10

// frameVersion is the layout written and read here. Another one is partitions.ErrNewer.
const frameVersion = 1

// A frame between two brokers, little endian, no padding. The link it travels over detects damage and proves who sent it.
//
//	+---------+------+-----------------------------------------------------------------+
//	| version | kind | body, to the end of the frame                                   |   u8, u8
//	+---------+------+-----------------------------------------------------------------+
//	1 messages   n × { partition, length u32, message (partitions/message_codec.go) }, n ≥ 1
//	2 request    frame_request.go
//	3 answer     frame_answer.go
//	4 cancel     number u64 of a request whose wait is to end
//	5 leaders    n × { partition, term u64 }: all that the sender leads, and serves
//	6 piece      parcel u64 | size u32 of the whole | at u32 | bytes: part of a frame that is too large for one
//	7 lost       n × replica u64: replicas of the sender's that have lost their logs
//	8 health     health.go
//
//	partition    topic u64 | number u32
const (
	frameMessages = 1
	frameRequest  = 2
	frameAnswer   = 3
	frameCancel   = 4
	frameLeaders  = 5
	framePiece    = 6
	frameLost     = 7
	frameHealth   = 8

	frameHeader    = 2
	partitionBytes = 8 + 4
	messageHeader  = partitionBytes + 4
	leaderBytes    = partitionBytes + 8
	pieceHeader    = 8 + 4 + 4
)

// startFrame begins a frame of a kind, with room for so many bytes of body.
func startFrame(kind byte, body int) []byte {
	return append(make([]byte, 0, frameHeader+body), frameVersion, kind)
}

// openFrame returns a frame's kind and body. It returns partitions.ErrMalformed for bytes that are none, and
// partitions.ErrNewer for a layout that this program does not know.
func openFrame(b []byte) (kind byte, body frameReader, err error) {
	switch {
	case len(b) < frameHeader:
		return 0, frameReader{}, fmt.Errorf("frame of %d bytes: %w", len(b), partitions.ErrMalformed)
	case b[0] != frameVersion:
		return 0, frameReader{}, fmt.Errorf("frame of version %d, this program knows %d: %w", b[0], frameVersion, partitions.ErrNewer)
	}
	return b[1], frameReader{rest: b[frameHeader:]}, nil
}

// carriedMessage is a message to a replica of a partition.
type carriedMessage struct {
	partition id.Partition
	message   partitions.Message
}

// size is how many bytes of a frame it takes.
func (c carriedMessage) size() int { return messageHeader + c.message.Size() }

func (c carriedMessage) appendTo(b []byte) []byte {
	b = appendPartition(b, c.partition)
	at := len(b)
	b = c.message.AppendTo(append(b, 0, 0, 0, 0))
	binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

// messages reads the body of a frame of messages, up to one that does not parse: that one's error comes with those before
// it. Their entries share the frame's memory.
func (r *frameReader) messages() ([]carriedMessage, error) {
	var all []carriedMessage
	for len(r.rest) > 0 {
		p := r.partition()
		bytes := r.bytes()
		if r.short {
			return all, r.malformed("messages")
		}
		m, err := partitions.ParseMessage(bytes)
		if err != nil {
			return all, fmt.Errorf("message to %v: %w", p, err)
		}
		all = append(all, carriedMessage{partition: p, message: m})
	}
	return all, nil
}

// led is a partition that a broker leads in a term.
type led struct {
	partition id.Partition
	term      id.Term
}

func leadersFrame(all []led) []byte {
	b := startFrame(frameLeaders, len(all)*leaderBytes)
	for _, l := range all {
		b = binary.LittleEndian.AppendUint64(appendPartition(b, l.partition), uint64(l.term))
	}
	return b
}

func (r *frameReader) leaders() ([]led, error) {
	all := make([]led, 0, len(r.rest)/leaderBytes)
	for len(r.rest) > 0 && !r.short {
		all = append(all, led{partition: r.partition(), term: id.Term(r.u64())})
	}
	if r.short {
		return nil, r.malformed("leaders")
	}
	return all, nil
}

func lostFrame(replicas []id.Replica) []byte {
	b := startFrame(frameLost, len(replicas)*8)
	for _, r := range replicas {
		b = binary.LittleEndian.AppendUint64(b, uint64(r))
	}
	return b
}

func (r *frameReader) lost() ([]id.Replica, error) {
	all := make([]id.Replica, 0, len(r.rest)/8)
	for len(r.rest) > 0 && !r.short {
		all = append(all, id.Replica(r.u64()))
	}
	if r.short {
		return nil, r.malformed("lost replicas")
	}
	return all, nil
}

// piece is a part of a frame that is too large for one. Parcels of one sender have numbers of their own.
type piece struct {
	parcel   uint64
	size, at uint32
	bytes    []byte
}

func (p piece) frame() []byte {
	b := startFrame(framePiece, pieceHeader+len(p.bytes))
	b = binary.LittleEndian.AppendUint64(b, p.parcel)
	b = binary.LittleEndian.AppendUint32(b, p.size)
	return append(binary.LittleEndian.AppendUint32(b, p.at), p.bytes...)
}

func (r *frameReader) piece() (piece, error) {
	p := piece{parcel: r.u64(), size: r.u32(), at: r.u32()}
	p.bytes, r.rest = r.rest, nil
	if r.short || len(p.bytes) == 0 || uint64(p.at)+uint64(len(p.bytes)) > uint64(p.size) {
		return piece{}, r.malformed("piece")
	}
	return p, nil
}

func cancelFrame(number uint64) []byte {
	return binary.LittleEndian.AppendUint64(startFrame(frameCancel, 8), number)
}

// cancel reads the number of the request whose wait is to end.
func (r *frameReader) cancel() (uint64, error) {
	n := r.u64()
	return n, r.end("cancel")
}

func appendPartition(b []byte, p id.Partition) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(p.Topic))
	return binary.LittleEndian.AppendUint32(b, uint32(p.Number))
}
