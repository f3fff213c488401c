package catalog

import (
	"encoding/binary"
	"maps"
	"slices"

	"troupe/partitions/id"
)

// The primitives of commands (codec.go) and snapshots (snapshot.go).

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

func appendNodes(b []byte, nodes []id.Node) []byte {
	b = binary.AppendUvarint(b, uint64(len(nodes)))
	for _, n := range nodes {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	return b
}

func appendReplicas(b []byte, replicas []id.Replica) []byte {
	b = binary.AppendUvarint(b, uint64(len(replicas)))
	for _, r := range replicas {
		b = binary.AppendUvarint(b, uint64(r))
	}
	return b
}

func appendPartition(b []byte, p id.Partition) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(p.Topic)), uint64(uint32(p.Number)))
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

func (r *reader) nodes() []id.Node {
	return list(r, 8, func() id.Node { return id.Node(r.fixed()) })
}

func (r *reader) replicas() []id.Replica {
	return list(r, 1, func() id.Replica { return id.Replica(r.uvarint()) })
}

func (r *reader) partition() id.Partition {
	return id.Partition{Topic: id.TopicID(r.uvarint()), Number: int32(r.within(int64(r.uvarint()), MaxPartitions))}
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
