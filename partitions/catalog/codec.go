package catalog

import (
	"encoding/binary"
	"fmt"

	"troupe/partitions/id"
)

// A command is the value of one record of __catalog-0:
//
//	+---------+------+------------------------------------------------------------+
//	| version | kind | body, by kind                                              |
//	| u8 = 1  | u8   |                                                            |
//	+---------+------+------------------------------------------------------------+
//	1 Bootstrap         cluster u64 | node u64 | at varint
//	2 (CreateTopic of old: see older.go)
//	3 DeleteTopic       topic uvarint
//	4 ReserveProducers  count varint
//	5 Forget            uvarint n, n × uvarint replica
//	6 AlterTopic        topic uvarint | settings | unset: uvarint n, n × string name, names ascending
//	7 CreateTopic       name string | partitions varint | settings | placements: uvarint n, n × nodes | at varint
//	8 Assign            partition | nodes | replace: uvarint n, n × uvarint replica | if varint
//	9 Moved             partition | version varint | gone: uvarint n, n × uvarint replica
//	10 Enlist           node u64 | rack string
//	11 Drain            node u64 | on u8: 0 or 1
//	12 Dismiss          node u64
//	13 Recover          partition | survivor uvarint | if varint | at varint
//	14 Succeed          epoch u64 | survivor uvarint | at varint
//
//	string     uvarint length, bytes
//	settings   uvarint n, n × (string name, string value), names ascending
//	nodes      uvarint n, n × u64
//	partition  topic uvarint | number uvarint
//
// Fixed numbers are little-endian. Nothing may follow the body. A command has exactly one encoding.
const commandVersion = 1

// commandKind is stored: never change a value.
type commandKind uint8

const (
	kindBootstrap        commandKind = 1
	kindCreateTopicOld   commandKind = 2
	kindDeleteTopic      commandKind = 3
	kindReserveProducers commandKind = 4
	kindForget           commandKind = 5
	kindAlterTopic       commandKind = 6
	kindCreateTopic      commandKind = 7
	kindAssign           commandKind = 8
	kindMoved            commandKind = 9
	kindEnlist           commandKind = 10
	kindDrain            commandKind = 11
	kindDismiss          commandKind = 12
	kindRecover          commandKind = 13
	kindSucceed          commandKind = 14
)

func (Bootstrap) kind() commandKind        { return kindBootstrap }
func (CreateTopic) kind() commandKind      { return kindCreateTopic }
func (DeleteTopic) kind() commandKind      { return kindDeleteTopic }
func (ReserveProducers) kind() commandKind { return kindReserveProducers }
func (Forget) kind() commandKind           { return kindForget }
func (Assign) kind() commandKind           { return kindAssign }
func (Moved) kind() commandKind            { return kindMoved }
func (Enlist) kind() commandKind           { return kindEnlist }
func (Drain) kind() commandKind            { return kindDrain }
func (Dismiss) kind() commandKind          { return kindDismiss }
func (Recover) kind() commandKind          { return kindRecover }
func (Succeed) kind() commandKind          { return kindSucceed }

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
		c.Placements = list(r, 1, r.nodes)
		c.At = id.Timestamp(r.varint())
		return c
	case kindCreateTopicOld:
		return decodeCreateTopicOld(r)
	case kindDeleteTopic:
		return DeleteTopic{Topic: id.TopicID(r.uvarint())}
	case kindReserveProducers:
		return ReserveProducers{Count: r.varint()}
	case kindForget:
		return Forget{Replicas: r.replicas()}
	case kindAlterTopic:
		return AlterTopic{Topic: id.TopicID(r.uvarint()), Set: r.settings(), Unset: r.names()}
	case kindAssign:
		return Assign{Partition: r.partition(), Nodes: r.nodes(), Replace: r.replicas(), If: id.Offset(r.varint())}
	case kindMoved:
		return Moved{Partition: r.partition(), Version: id.Offset(r.varint()), Gone: r.replicas()}
	case kindEnlist:
		return Enlist{Node: id.Node(r.fixed()), Rack: r.string()}
	case kindDrain:
		return Drain{Node: id.Node(r.fixed()), On: r.within(int64(r.byte()), 1) == 1}
	case kindDismiss:
		return Dismiss{Node: id.Node(r.fixed())}
	case kindRecover:
		return Recover{Partition: r.partition(), Survivor: id.Replica(r.uvarint()), If: id.Offset(r.varint()), At: id.Timestamp(r.varint())}
	case kindSucceed:
		return Succeed{Epoch: id.Epoch(r.fixed()), Survivor: id.Replica(r.uvarint()), At: id.Timestamp(r.varint())}
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
	b = binary.AppendUvarint(b, uint64(len(c.Placements)))
	for _, nodes := range c.Placements {
		b = appendNodes(b, nodes)
	}
	return binary.AppendVarint(b, int64(c.At))
}

func (c DeleteTopic) encode(b []byte) []byte { return binary.AppendUvarint(b, uint64(c.Topic)) }

func (c ReserveProducers) encode(b []byte) []byte { return binary.AppendVarint(b, c.Count) }

func (c Forget) encode(b []byte) []byte { return appendReplicas(b, c.Replicas) }

func (c Assign) encode(b []byte) []byte {
	b = appendNodes(appendPartition(b, c.Partition), c.Nodes)
	return binary.AppendVarint(appendReplicas(b, c.Replace), int64(c.If))
}

func (c Moved) encode(b []byte) []byte {
	b = binary.AppendVarint(appendPartition(b, c.Partition), int64(c.Version))
	return appendReplicas(b, c.Gone)
}

func (c Enlist) encode(b []byte) []byte {
	return appendString(binary.LittleEndian.AppendUint64(b, uint64(c.Node)), c.Rack)
}

func (c Drain) encode(b []byte) []byte {
	on := byte(0)
	if c.On {
		on = 1
	}
	return append(binary.LittleEndian.AppendUint64(b, uint64(c.Node)), on)
}

func (c Dismiss) encode(b []byte) []byte { return binary.LittleEndian.AppendUint64(b, uint64(c.Node)) }

func (c Recover) encode(b []byte) []byte {
	b = binary.AppendUvarint(appendPartition(b, c.Partition), uint64(c.Survivor))
	return binary.AppendVarint(binary.AppendVarint(b, int64(c.If)), int64(c.At))
}

func (c Succeed) encode(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(c.Epoch))
	return binary.AppendVarint(binary.AppendUvarint(b, uint64(c.Survivor)), int64(c.At))
}
