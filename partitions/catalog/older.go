package catalog

import (
	"encoding/binary"

	"troupe/partitions/id"
)

// createTopicOld is the CreateTopic of brokers that knew one replica a partition. It is read, and never written: logs hold
// it.
//
//	2 CreateTopic       name string | partitions varint | settings | nodes | at varint
type createTopicOld struct {
	name       id.Topic
	partitions int32
	settings   map[string]string
	nodes      []id.Node // candidates; each partition gets one replica, in turn
	at         id.Timestamp
}

func decodeCreateTopicOld(r *reader) Command {
	c := createTopicOld{name: id.Topic(r.string()), partitions: int32(r.within(r.varint(), 1<<31-1))}
	c.settings = r.settings()
	c.nodes = r.nodes()
	c.at = id.Timestamp(r.varint())
	return c
}

func (createTopicOld) kind() commandKind { return kindCreateTopicOld }

func (c createTopicOld) encode(b []byte) []byte {
	b = appendString(b, string(c.name))
	b = binary.AppendVarint(b, int64(c.partitions))
	b = appendNodes(appendSettings(b, c.settings), c.nodes)
	return binary.AppendVarint(b, int64(c.at))
}

func (c createTopicOld) apply(next *State) (Result, error) {
	now := CreateTopic{Name: c.name, Partitions: c.partitions, Settings: c.settings, At: c.at}
	if now.Validate() == nil && len(c.nodes) > 0 { // else refused for what it is, or for having no placements
		now.Placements = make([][]id.Node, c.partitions)
		for i := range now.Placements {
			now.Placements[i] = []id.Node{c.nodes[i%len(c.nodes)]}
		}
	}
	return now.apply(next)
}
