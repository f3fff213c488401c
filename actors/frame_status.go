package actors

import (
	"encoding/binary"

	"troupe/partitions"
	"troupe/partitions/id"
)

// The body of the answer to a description:
//
//	+------+---------------------------+------------+----------------+--------------------+---------+
//	| role | flags, u8 each            | n × number | places         | peers              | problem |   u8, -, u64 each
//	+------+---------------------------+------------+----------------+--------------------+---------+
//
//	flags        ready, joint, settled, forgotten
//	numbers      partition, then those of statusNumbers, in its order
//	places       voters: count u32, count × placed; learners, incoming and outgoing likewise
//	peers        count u32, count × { placed, learner u8, active u8, match u64, state: length u32, bytes }
//	placed       replica u64 | node u64
//	problem      length u32, bytes
const (
	placedBytes     = 2 * 8
	peerStatusBytes = placedBytes + 2 + 8 + 4
)

// statusNumbers lists the fields that are one number each, in the order in which they travel. Add at the end.
func statusNumbers(s *partitions.Status) (unsigned []*uint64, signed []*int64) {
	unsigned = []*uint64{
		(*uint64)(&s.Replica), (*uint64)(&s.Term), (*uint64)(&s.Node), (*uint64)(&s.Leader), (*uint64)(&s.LeaderNode),
		(*uint64)(&s.Applied), (*uint64)(&s.Last), (*uint64)(&s.First), (*uint64)(&s.LastTerm),
	}
	c := &s.Counts
	signed = []*int64{
		(*int64)(&s.LogStart), (*int64)(&s.HighWatermark), (*int64)(&s.Assignment), &s.Log.Bytes,
		&c.Batches, &c.Records, &c.Bytes, &c.Duplicates, &c.Fetches, &c.TailFetches, &c.Checkpoints, &c.Elections,
		&c.SnapshotsSent, &c.SnapshotsInstalled, &c.Reconfigurations, &c.Strays,
	}
	return unsigned, signed
}

// statusCounts lists the fields that count what is there.
func statusCounts(s *partitions.Status) []*int {
	return []*int{&s.Parked, &s.Uncommitted, &s.Producers, &s.Log.Segments}
}

func (q question) described(s partitions.Status) []byte {
	b := append(q.answerFrame(nil, 512), byte(s.Role))
	b = appendPartition(appendBool(appendBool(appendBool(appendBool(b, s.Ready), s.Joint), s.Settled), s.Forgotten), s.Partition)
	unsigned, signed := statusNumbers(&s)
	for _, v := range unsigned {
		b = binary.LittleEndian.AppendUint64(b, *v)
	}
	for _, v := range signed {
		b = appendNumbers(b, *v)
	}
	for _, v := range statusCounts(&s) {
		b = appendNumbers(b, int64(*v))
	}
	for _, places := range [][]partitions.Placed{s.Voters, s.Learners, s.Incoming, s.Outgoing} {
		b = appendPlaces(b, places)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(s.Peers)))
	for _, p := range s.Peers {
		b = appendBool(appendBool(appendPlaced(b, p.Placed), p.Learner), p.Active)
		b = appendBytes(appendNumbers(b, int64(p.Match)), p.State)
	}
	return appendBytes(b, s.Problem)
}

// undescribed is the answer of a broker that has no replica to describe.
func (q question) undescribed(err error) []byte { return q.answerFrame(err, 0) }

// status reads a description, which is absent where the answer held an error.
func (r *frameReader) status() (s partitions.Status, err error) {
	if role := r.u8(); role <= byte(partitions.RoleStopped) {
		s.Role = partitions.Role(role)
	} else {
		r.short = true
	}
	s.Ready, s.Joint, s.Settled, s.Forgotten, s.Partition = r.bool(), r.bool(), r.bool(), r.bool(), r.partition()
	unsigned, signed := statusNumbers(&s)
	for _, v := range unsigned {
		*v = r.u64()
	}
	for _, v := range signed {
		*v = int64(r.u64())
	}
	for _, v := range statusCounts(&s) {
		*v = int(r.u64())
	}
	s.Voters, s.Learners, s.Incoming, s.Outgoing = r.places(), r.places(), r.places(), r.places()
	for n := r.count(peerStatusBytes); n > 0 && !r.short; n-- {
		p := partitions.PeerStatus{Placed: r.placed(), Learner: r.bool(), Active: r.bool(), Match: id.Index(r.u64()), State: string(r.bytes())}
		s.Peers = append(s.Peers, p)
	}
	s.Problem = string(r.bytes())
	return s, r.end("status")
}

func appendPlaced(b []byte, p partitions.Placed) []byte {
	return appendNumbers(b, int64(p.Replica), int64(p.Node))
}

func (r *frameReader) placed() partitions.Placed {
	return partitions.Placed{Replica: id.Replica(r.u64()), Node: id.Node(r.u64())}
}

func appendPlaces(b []byte, all []partitions.Placed) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(all)))
	for _, p := range all {
		b = appendPlaced(b, p)
	}
	return b
}

func (r *frameReader) places() (all []partitions.Placed) {
	for n := r.count(placedBytes); n > 0; n-- {
		all = append(all, r.placed())
	}
	return all
}
