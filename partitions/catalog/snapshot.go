package catalog

import (
	"encoding/binary"
	"fmt"

	"troupe/partitions"
	"troupe/partitions/id"
)

// A snapshot is the whole State; a checkpoint of the catalog's partition carries it (and its checksum):
//
//	+---------+---------+---------+------------+--------------+---------------+--------+--------+
//	| format  | version | cluster | next topic | next replica | next producer | topics | doomed |
//	| u8 = 1  | varint  | u64     | uvarint    | uvarint      | varint        |        |        |
//	+---------+---------+---------+------------+--------------+---------------+--------+--------+
//	topics      uvarint n, n × topic, ids ascending
//	topic       id uvarint | name string | created varint | settings | partitions: uvarint n, n × assignment
//	assignment  founders | replicas       each: uvarint n, n × placed
//	doomed      uvarint n, n × (topic uvarint | number uvarint | placed), replicas ascending
//	placed      replica uvarint | node u64
//
// Primitives are those of commands (codec.go). Equal states have equal snapshots.
const snapshotFormat = 1

func (s *State) encode() []byte {
	b := []byte{snapshotFormat}
	b = binary.AppendVarint(b, int64(s.Version))
	b = binary.LittleEndian.AppendUint64(b, uint64(s.Cluster))
	b = binary.AppendUvarint(b, uint64(s.NextTopic))
	b = binary.AppendUvarint(b, uint64(s.NextReplica))
	b = binary.AppendVarint(b, int64(s.NextProducer))
	b = binary.AppendUvarint(b, uint64(len(s.Topics)))
	for _, topic := range s.TopicIDs() {
		b = s.Topics[topic].encode(b)
	}
	b = binary.AppendUvarint(b, uint64(len(s.Doomed)))
	for _, d := range s.Doomed {
		b = binary.AppendUvarint(b, uint64(d.Partition.Topic))
		b = binary.AppendUvarint(b, uint64(d.Partition.Number))
		b = appendPlaced(b, d.Placed)
	}
	return b
}

func (t *Topic) encode(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(t.ID))
	b = appendString(b, string(t.Name))
	b = binary.AppendVarint(b, int64(t.Created))
	b = appendSettings(b, t.Settings)
	b = binary.AppendUvarint(b, uint64(len(t.Partitions)))
	for _, a := range t.Partitions {
		for _, all := range [][]partitions.Placed{a.Founders, a.Replicas} {
			b = binary.AppendUvarint(b, uint64(len(all)))
			for _, p := range all {
				b = appendPlaced(b, p)
			}
		}
	}
	return b
}

func appendPlaced(b []byte, p partitions.Placed) []byte {
	return binary.LittleEndian.AppendUint64(binary.AppendUvarint(b, uint64(p.Replica)), uint64(p.Node))
}

func decodeState(b []byte) (*State, error) {
	r := &reader{rest: b}
	if format := r.byte(); !r.bad && format != snapshotFormat {
		return nil, fmt.Errorf("snapshot of format %d, this broker reads %d: %w", format, snapshotFormat, ErrInvalidSnapshot)
	}
	s := empty()
	s.Version = id.Offset(r.varint())
	s.Cluster = id.Cluster(r.fixed())
	s.NextTopic = id.TopicID(r.uvarint())
	s.NextReplica = id.Replica(r.uvarint())
	s.NextProducer = id.Producer(r.varint())
	var last id.TopicID
	for range r.count(5) {
		t := decodeTopic(r)
		if t.ID <= last || s.ByName[t.Name] != 0 {
			r.fail()
		}
		last = t.ID
		s.add(t)
	}
	s.Doomed = list(r, 11, func() Doomed {
		p := id.Partition{Topic: id.TopicID(r.uvarint()), Number: int32(r.within(int64(r.uvarint()), MaxPartitions))}
		return Doomed{Partition: p, Placed: decodePlaced(r)}
	})
	for i := 1; i < len(s.Doomed); i++ {
		if s.Doomed[i].Replica <= s.Doomed[i-1].Replica {
			r.fail()
		}
	}
	if r.bad || len(r.rest) != 0 {
		return nil, fmt.Errorf("snapshot of %d bytes: %w", len(b), ErrInvalidSnapshot)
	}
	return s, nil
}

func decodeTopic(r *reader) *Topic {
	t := &Topic{
		ID:       id.TopicID(r.uvarint()),
		Name:     id.Topic(r.string()),
		Created:  id.Timestamp(r.varint()),
		Settings: r.settings(),
	}
	t.Partitions = list(r, 2, func() Assignment {
		return Assignment{Founders: decodePlacement(r), Replicas: decodePlacement(r)}
	})
	return t
}

func decodePlacement(r *reader) []partitions.Placed {
	return list(r, 9, func() partitions.Placed { return decodePlaced(r) })
}

func decodePlaced(r *reader) partitions.Placed {
	return partitions.Placed{Replica: id.Replica(r.uvarint()), Node: id.Node(r.fixed())}
}
