package catalog

import (
	"encoding/binary"
	"fmt"

	"troupe/partitions"
	"troupe/partitions/id"
)

// A snapshot is the whole State; a checkpoint of the catalog's partition carries it (and its checksum):
//
//	+---------+---------+---------+-------+------------+--------------+---------------+--------+--------+-------+
//	| format  | version | cluster | epoch | next topic | next replica | next producer | topics | doomed | nodes |
//	| u8 = 4  | varint  | u64     | u64   | uvarint    | uvarint      | varint        |        |        |       |
//	+---------+---------+---------+-------+------------+--------------+---------------+--------+--------+-------+
//	topics      uvarint n, n × topic, ids ascending
//	topic       id uvarint | name string | created varint | settings | partitions: uvarint n, n × assignment
//	assignment  founders | replicas | leaving | ruined: uvarint n, n × uvarint replica | version varint | settled varint
//	            | recoveries: uvarint n, n × recovery
//	            founders, replicas, leaving: uvarint n, n × placed
//	recovery    at varint | survivor placed | heir uvarint | given up: uvarint n, n × placed | version varint
//	doomed      uvarint n, n × (partition | placed), replicas ascending
//	nodes       uvarint n, n × (node u64 | state u8 | rack string), ids ascending
//	placed      replica uvarint | node u64
//
// Primitives are those of commands (codec.go). Equal states have equal snapshots. Format 3 has no epoch, and is written where
// that is 0: only a recovered catalog is closed to brokers that know nothing else. Formats 1 and 2 are read and never written:
// format 2 has no recoveries, and format 1 ends an assignment with replicas, and the snapshot with doomed: its one node is the
// catalog's founder.
const (
	snapshotFormatEpoch   = 4
	snapshotFormat        = 3
	snapshotFormatSettled = 2
	snapshotFormatOld     = 1
)

// Snapshot encodes the state as a fold of it would: Fold.Restore reads it.
func (s *State) Snapshot() []byte { return s.encode() }

func (s *State) encode() []byte {
	b := []byte{snapshotFormat}
	b = binary.AppendVarint(b, int64(s.Version))
	b = binary.LittleEndian.AppendUint64(b, uint64(s.Cluster))
	if s.Epoch != 0 {
		b[0] = snapshotFormatEpoch
		b = binary.LittleEndian.AppendUint64(b, uint64(s.Epoch))
	}
	b = binary.AppendUvarint(b, uint64(s.NextTopic))
	b = binary.AppendUvarint(b, uint64(s.NextReplica))
	b = binary.AppendVarint(b, int64(s.NextProducer))
	b = binary.AppendUvarint(b, uint64(len(s.Topics)))
	for _, topic := range s.TopicIDs() {
		b = s.Topics[topic].encode(b)
	}
	b = binary.AppendUvarint(b, uint64(len(s.Doomed)))
	for _, d := range s.Doomed {
		b = appendPlaced(appendPartition(b, d.Partition), d.Placed)
	}
	b = binary.AppendUvarint(b, uint64(len(s.Nodes)))
	for _, n := range s.NodeIDs() {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
		b = appendString(append(b, byte(s.Nodes[n].State)), s.Nodes[n].Rack)
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
		for _, all := range [][]partitions.Placed{a.Founders, a.Replicas, a.Leaving} {
			b = appendPlacement(b, all)
		}
		b = binary.AppendVarint(appendReplicas(b, a.Ruined), int64(a.Version))
		b = binary.AppendVarint(b, int64(a.Settled))
		b = binary.AppendUvarint(b, uint64(len(a.Recoveries)))
		for _, r := range a.Recoveries {
			b = r.encode(b)
		}
	}
	return b
}

func (r Recovery) encode(b []byte) []byte {
	b = appendPlaced(binary.AppendVarint(b, int64(r.At)), r.Survivor)
	b = appendPlacement(binary.AppendUvarint(b, uint64(r.Heir)), r.GivenUp)
	return binary.AppendVarint(b, int64(r.Version))
}

func appendPlacement(b []byte, all []partitions.Placed) []byte {
	b = binary.AppendUvarint(b, uint64(len(all)))
	for _, p := range all {
		b = appendPlaced(b, p)
	}
	return b
}

func appendPlaced(b []byte, p partitions.Placed) []byte {
	return binary.LittleEndian.AppendUint64(binary.AppendUvarint(b, uint64(p.Replica)), uint64(p.Node))
}

func decodeState(b []byte) (*State, error) {
	r := &reader{rest: b}
	format := r.byte()
	if !r.bad && (format > snapshotFormatEpoch || format < snapshotFormatOld) {
		return nil, fmt.Errorf("snapshot of format %d, this broker reads up to %d: %w", format, snapshotFormatEpoch, ErrInvalidSnapshot)
	}
	s := empty()
	s.Version = id.Offset(r.varint())
	s.Cluster = id.Cluster(r.fixed())
	if format == snapshotFormatEpoch {
		if s.Epoch = id.Epoch(r.fixed()); s.Epoch == 0 {
			r.fail()
		}
	}
	s.NextTopic = id.TopicID(r.uvarint())
	s.NextReplica = id.Replica(r.uvarint())
	s.NextProducer = id.Producer(r.varint())
	var last id.TopicID
	for range r.count(5) {
		t := decodeTopic(r, format)
		if t.ID <= last || s.ByName[t.Name] != 0 {
			r.fail()
		}
		last = t.ID
		s.add(t)
	}
	s.Doomed = list(r, 11, func() Doomed {
		return Doomed{Partition: r.partition(), Placed: decodePlaced(r)}
	})
	for i := 1; i < len(s.Doomed); i++ {
		if s.Doomed[i].Replica <= s.Doomed[i-1].Replica {
			r.fail()
		}
	}
	decodeNodes(r, s, format)
	if r.bad || len(r.rest) != 0 {
		return nil, fmt.Errorf("snapshot of %d bytes: %w", len(b), ErrInvalidSnapshot)
	}
	return s, nil
}

func decodeTopic(r *reader, format byte) *Topic {
	t := &Topic{
		ID:       id.TopicID(r.uvarint()),
		Name:     id.Topic(r.string()),
		Created:  id.Timestamp(r.varint()),
		Settings: r.settings(),
	}
	t.Partitions = list(r, 2, func() Assignment {
		a := Assignment{Founders: decodePlacement(r), Replicas: decodePlacement(r)}
		if format != snapshotFormatOld {
			a.Leaving, a.Ruined = decodePlacement(r), r.replicas()
			a.Version, a.Settled = id.Offset(r.varint()), id.Offset(r.varint())
		}
		if format >= snapshotFormat {
			a.Recoveries = list(r, recoveryBytes, func() Recovery { return decodeRecovery(r) })
		}
		return a
	})
	return t
}

func decodeNodes(r *reader, s *State, format byte) {
	if format == snapshotFormatOld {
		if a, ok := s.Assignment(Partition()); ok && len(a.Founders) > 0 {
			s.Nodes[a.Founders[0].Node] = &Node{State: Active}
		}
		return
	}
	var last id.Node
	for range r.count(10) {
		n := id.Node(r.fixed())
		node := &Node{State: NodeState(r.byte()), Rack: r.string()}
		if n <= last || node.State < Active || node.State > Gone {
			r.fail()
		}
		last = n
		s.Nodes[n] = node
	}
}

// recoveryBytes is the least that a recovery takes.
const recoveryBytes = 1 + 9 + 1 + 1 + 1

func decodeRecovery(r *reader) Recovery {
	return Recovery{
		At: id.Timestamp(r.varint()), Survivor: decodePlaced(r), Heir: id.Replica(r.uvarint()), GivenUp: decodePlacement(r),
		Version: id.Offset(r.varint()),
	}
}

func decodePlacement(r *reader) []partitions.Placed {
	return list(r, 9, func() partitions.Placed { return decodePlaced(r) })
}

func decodePlaced(r *reader) partitions.Placed {
	return partitions.Placed{Replica: id.Replica(r.uvarint()), Node: id.Node(r.fixed())}
}
