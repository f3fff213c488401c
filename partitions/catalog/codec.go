package catalog

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"troupe/partitions/id"
)

// A command is the value of one record of __catalog-0:
//
//	+---------+------+------------------------------------------------------------+
//	| version | kind | body, by kind                                              |
//	| u8 = 1  | u8   |                                                            |
//	+---------+------+------------------------------------------------------------+
//	1 Bootstrap         cluster u64 | node u64 | at varint
//	2 CreateTopic       name string | partitions varint | settings | nodes: uvarint n, n × u64 | at varint
//	3 DeleteTopic       topic uvarint
//	4 ReserveProducers  count varint
//	5 Forget            uvarint n, n × uvarint replica
//	6 AlterTopic        topic uvarint | settings | unset: uvarint n, n × string name, names ascending
//
//	string    uvarint length, bytes
//	settings  uvarint n, n × (string name, string value), names ascending
//
// Fixed numbers are little-endian. Nothing may follow the body. A command has exactly one encoding.
const commandVersion = 1

// commandKind is stored: never change a value.
type commandKind uint8

const (
	kindBootstrap        commandKind = 1
	kindCreateTopic      commandKind = 2
	kindDeleteTopic      commandKind = 3
	kindReserveProducers commandKind = 4
	kindForget           commandKind = 5
	kindAlterTopic       commandKind = 6
)

func (Bootstrap) kind() commandKind        { return kindBootstrap }
func (CreateTopic) kind() commandKind      { return kindCreateTopic }
func (DeleteTopic) kind() commandKind      { return kindDeleteTopic }
func (ReserveProducers) kind() commandKind { return kindReserveProducers }
func (Forget) kind() commandKind           { return kindForget }

// Encode returns a command's bytes: equal commands have equal bytes.
func Encode(c Command) []byte {
	return c.encode([]byte{commandVersion, byte(c.kind())})
}

// Decode reads what Encode wrote. It returns ErrInvalidCommand for anything else.
func Decode(b []byte) (Command, error) {
	r := reader{rest: b}
	version, kind := r.byte(), commandKind(r.byte())
	if !r.bad && version != commandVersion {
		return nil, fmt.Errorf("command of version %d, this broker reads %d: %w", version, commandVersion, ErrInvalidCommand)
	}
	c := decodeBody(kind, &r)
	if c == nil || r.bad || len(r.rest) != 0 {
		return nil, fmt.Errorf("command of kind %d in %d bytes: %w", kind, len(b), ErrInvalidCommand)
	}
	return c, nil
}

func decodeBody(kind commandKind, r *reader) Command {
	switch kind {
	case kindBootstrap:
		return Bootstrap{Cluster: id.Cluster(r.fixed()), Node: id.Node(r.fixed()), At: id.Timestamp(r.varint())}
	case kindCreateTopic:
		c := CreateTopic{Name: id.Topic(r.string()), Partitions: int32(r.within(r.varint(), 1<<31-1))}
		c.Settings = r.settings()
		c.Nodes = list(r, 8, func() id.Node { return id.Node(r.fixed()) })
		c.At = id.Timestamp(r.varint())
		return c
	case kindDeleteTopic:
		return DeleteTopic{Topic: id.TopicID(r.uvarint())}
	case kindReserveProducers:
		return ReserveProducers{Count: r.varint()}
	case kindForget:
		return Forget{Replicas: list(r, 1, func() id.Replica { return id.Replica(r.uvarint()) })}
	case kindAlterTopic:
		return AlterTopic{Topic: id.TopicID(r.uvarint()), Set: r.settings(), Unset: r.names()}
	}
	return nil
}

func (c Bootstrap) encode(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(c.Cluster))
	b = binary.LittleEndian.AppendUint64(b, uint64(c.Node))
	return binary.AppendVarint(b, int64(c.At))
}

func (c CreateTopic) encode(b []byte) []byte {
	b = appendString(b, string(c.Name))
	b = binary.AppendVarint(b, int64(c.Partitions))
	b = appendSettings(b, c.Settings)
	b = binary.AppendUvarint(b, uint64(len(c.Nodes)))
	for _, n := range c.Nodes {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	return binary.AppendVarint(b, int64(c.At))
}

func (c DeleteTopic) encode(b []byte) []byte { return binary.AppendUvarint(b, uint64(c.Topic)) }

func (c ReserveProducers) encode(b []byte) []byte { return binary.AppendVarint(b, c.Count) }

func (c Forget) encode(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(c.Replicas)))
	for _, r := range c.Replicas {
		b = binary.AppendUvarint(b, uint64(r))
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendSettings(b []byte, settings map[string]string) []byte {
	b = binary.AppendUvarint(b, uint64(len(settings)))
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		b = appendString(appendString(b, name), settings[name])
	}
	return b
}

// reader reads the primitives of commands and snapshots. After the first thing that is not there, or that has another,
// shorter encoding, bad is set and everything it returns is zero.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) fail() { r.bad, r.rest = true, nil }

func (r *reader) byte() byte {
	if len(r.rest) == 0 {
		r.fail()
		return 0
	}
	c := r.rest[0]
	r.rest = r.rest[1:]
	return c
}

func (r *reader) fixed() uint64 {
	if len(r.rest) < 8 {
		r.fail()
		return 0
	}
	v := binary.LittleEndian.Uint64(r.rest)
	r.rest = r.rest[8:]
	return v
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || n > 1 && r.rest[n-1] == 0 { // a last byte of 0 is padding: the same number has a shorter encoding
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) varint() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// within returns v, which must be from 0 to limit.
func (r *reader) within(v, limit int64) int64 {
	if v < 0 || v > limit {
		r.fail()
		return 0
	}
	return v
}

// count reads a number of things of at least size bytes each, which must still be there: no count makes room for what
// cannot follow.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.rest)/size) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) string() string {
	n := r.count(1)
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

func (r *reader) settings() map[string]string {
	n := r.count(2)
	if n > maxSettingsInHand {
		r.fail()
		return nil
	}
	if n == 0 {
		return nil
	}
	settings := make(map[string]string, n)
	last := ""
	for i := range n {
		name := r.string()
		if i > 0 && name <= last {
			r.fail()
			return nil
		}
		last = name
		settings[name] = r.string()
	}
	return settings
}

// list reads a counted list of things of at least size bytes each; nil when it is empty.
func list[T any](r *reader, size int, read func() T) []T {
	n := r.count(size)
	if n == 0 {
		return nil
	}
	all := make([]T, n)
	for i := range all {
		all[i] = read()
	}
	return all
}
