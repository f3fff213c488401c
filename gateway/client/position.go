package client

import (
	"fmt"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

// Position says where to begin reading a partition. The zero Position is FromStart.
type Position struct {
	kind   positionKind
	offset id.Offset
	time   time.Time
}

type positionKind uint8

const (
	atStart positionKind = iota
	atEnd
	atOffset
	atTime
)

// FromStart is the oldest record there is.
func FromStart() Position { return Position{kind: atStart} }

// FromEnd is after the newest record acknowledged when the question is answered.
func FromEnd() Position { return Position{kind: atEnd} }

// FromOffset is a given offset.
func FromOffset(offset id.Offset) Position { return Position{kind: atOffset, offset: offset} }

// FromTime is the first batch with a record of that time or later, or the end.
func FromTime(t time.Time) Position { return Position{kind: atTime, time: t} }

// String names the position.
func (p Position) String() string {
	switch p.kind {
	case atStart:
		return "start"
	case atEnd:
		return "end"
	case atOffset:
		return fmt.Sprintf("offset %d", p.offset)
	}
	return "time " + p.time.Format(time.RFC3339Nano)
}

// ask puts the position as a question to a broker; an offset needs none.
func (p Position) ask() (at protocol.OffsetAt, t id.Timestamp) {
	switch p.kind {
	case atEnd:
		return protocol.OffsetLatest, protocol.NoTimestamp
	case atTime:
		return protocol.OffsetAtTime, max(0, id.Timestamp(p.time.UnixMilli()))
	}
	return protocol.OffsetEarliest, protocol.NoTimestamp
}
