package simulation

import (
	"bytes"
	"fmt"
	"strings"

	"troupe/gateway/protocol"
	"troupe/partitions/batch"
	"troupe/partitions/id"
	"troupe/wal"
)

// promised demands that what is acknowledged at this very moment is durable: on a quorum of the replicas, or where less was
// asked for, on one.
func (c *Cluster) promised(to string, acks protocol.Acks, p id.Partition, base id.Offset, sent []byte) {
	w := c.world
	// A leader's disk alone may have been overruled by the next one while its answer was on the way.
	if acks == protocol.AcksNone || acks == protocol.AcksLeader && w.several() || w.deleted[id.Partition{Topic: p.Topic}] {
		return
	}
	quorum := 1
	if acks == protocol.AcksQuorum {
		// What was damaged may be where it was durable.
		quorum = w.ledger.quorum(p) - w.atlas.sick(p)
	}
	holders := 0
	var why []string
	for _, b := range c.brokers {
		if missing := b.disk.missing(p, base, sent); missing == "" {
			holders++
		} else {
			why = append(why, b.name+": "+missing)
		}
	}
	if holders < quorum {
		w.violate(violation("ack-before-durable", "%v acknowledges %s's batch at offset %d, and a power loss of all now would leave it on %d brokers of the %d that must hold it: %s",
			p, to, base, holders, quorum, strings.Join(why, "; ")))
	}
}

// missing implements brokerDisk.
func (d *Disk) missing(p id.Partition, base id.Offset, sent []byte) string {
	why := "the partition has no log"
	for _, logs := range []map[id.Replica]*Twin{d.newest, d.earlier} {
		for _, t := range logs { // any order: one of them is enough
			if t.partition != p {
				continue
			}
			if why = d.lacks(t, base, sent); why == "" {
				return ""
			}
		}
	}
	return why
}

// lacks is missing for one replica's log.
func (d *Disk) lacks(t *Twin, base id.Offset, sent []byte) string {
	if base < t.front {
		return "" // it was durable, and deleted since
	}
	i := t.holding(base)
	if i == len(t.entries) || t.entries[i].base != base {
		return fmt.Sprintf("no batch of replica %d begins there", t.owner)
	}
	e := t.entries[i]
	b := d.device.volume.Synced(t.path(e.segment))
	if e.at+e.size > int64(len(b)) {
		return fmt.Sprintf("segment %s is synced up to byte %d, the batch ends at %d", segmentFile(e.segment), len(b), e.at+e.size)
	}
	frame, err := wal.ParseFrame(b[e.at:e.at+e.size], t.owner)
	if err != nil {
		return "what is synced there does not verify"
	}
	if !bytes.Equal(frame.Entry.Payload[batch.HeaderSize:], sent[batch.HeaderSize:]) {
		return "other records are synced there"
	}
	return ""
}
