package partitions

import (
	"fmt"

	pb "go.etcd.io/raft/v3/raftpb"

	"troupe/partitions/id"
)

// Message is what one replica of a partition tells another. It is immutable; the entries of one that was parsed share the
// memory it was parsed from, and those of one from an Outbox the memory of the log's tail.
type Message struct {
	From, To id.Replica
	// Node is where To lives, as far as From knows: 0 where it does not. It does not travel.
	Node id.Node

	raft *pb.Message
}

// Kind tells messages apart for whoever moves them.
type Kind uint8

// The kinds of messages. Their values travel: never change one.
const (
	KindAppend         Kind = 1  // entries, or where the follower's log must meet the leader's
	KindAppendReply    Kind = 2  //
	KindHeartbeat      Kind = 3  //
	KindHeartbeatReply Kind = 4  //
	KindPreVote        Kind = 5  // would you vote for me?
	KindPreVoteReply   Kind = 6  //
	KindVote           Kind = 7  //
	KindVoteReply      Kind = 8  //
	KindSnapshot       Kind = 9  // a checkpoint: the leader no longer has the entries that the follower needs
	KindTransferNow    Kind = 10 // campaign at once: the leader hands its leadership over
	kindAfterLast           = 11
)

var kindNames = [...]string{
	"none", "append", "append reply", "heartbeat", "heartbeat reply", "pre-vote", "pre-vote reply", "vote", "vote reply", "snapshot",
	"transfer now",
}

// String returns the kind's name.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

var kindToRaft = [kindAfterLast]pb.MessageType{
	KindAppend: pb.MsgApp, KindAppendReply: pb.MsgAppResp, KindHeartbeat: pb.MsgHeartbeat, KindHeartbeatReply: pb.MsgHeartbeatResp,
	KindPreVote: pb.MsgPreVote, KindPreVoteReply: pb.MsgPreVoteResp, KindVote: pb.MsgVote, KindVoteReply: pb.MsgVoteResp,
	KindSnapshot: pb.MsgSnap, KindTransferNow: pb.MsgTimeoutNow,
}

// Kind tells what the message is.
func (m Message) Kind() Kind {
	for k := KindAppend; k < kindAfterLast; k++ {
		if kindToRaft[k] == m.raft.GetType() {
			return k
		}
	}
	return 0
}

// Term is the sender's term.
func (m Message) Term() id.Term { return id.Term(m.raft.GetTerm()) }

// Urgent tells that somebody waits for the message: unlike a heartbeat without a request to confirm, it must not wait for
// others to travel with.
func (m Message) Urgent() bool {
	k := m.Kind()
	return k != KindHeartbeat && k != KindHeartbeatReply || len(m.raft.GetContext()) > 0
}

// String describes the message for a trace.
func (m Message) String() string {
	s := fmt.Sprintf("%v from %d to %d, term %d", m.Kind(), m.From, m.To, m.Term())
	switch m.Kind() {
	case KindAppend:
		s += fmt.Sprintf(", %d entries behind %d, commit %d", len(m.raft.Entries), m.raft.GetIndex(), m.raft.GetCommit())
	case KindAppendReply:
		s += fmt.Sprintf(", index %d", m.raft.GetIndex())
	case KindSnapshot:
		s += fmt.Sprintf(", of entry %d", m.raft.GetSnapshot().GetMetadata().GetIndex())
	}
	if m.raft.GetReject() {
		s += ", rejected"
	}
	return s
}
