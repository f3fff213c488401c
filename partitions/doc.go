// Package partitions decides. It holds the pure state machines of a replica, its log as it sees it, and (in catalog) the
// fold of topics and settings. It never reads a clock, touches a disk or a network, draws a random number, starts a
// goroutine or takes a lock: time and messages are handed in, work and messages are handed back in an Outbox.
//
// A replica is one member of a raft group (go.etcd.io/raft), with offsets, producers and waiting requests above it. What
// always holds:
//
//   - At most one replica leads a term, and it answers nobody before it has applied the empty entry of its own term: by
//     then it has applied everything that any earlier leader acknowledged.
//   - What is answered with acks=quorum is durable on a majority of the voters; during a change of the voters, on one of the
//     old and one of the new.
//   - The high watermark is what is applied. It never falls, within a term or from one to the next.
//   - Who votes changes by entries of the log alone, one change at a time; an assignment older than the one the log has
//     followed changes nothing.
//   - A vote, and that an entry is held, is told to others only after it is durable.
//
// Start reading at replica.go, then append.go, apply.go and fetch.go for a leader's day; peers.go, assignment.go and
// configuration.go for its dealings with the others; survivor.go and inherit.go for what is left when most of them are lost;
// log.go is what it needs from a disk, message.go what it says.
package partitions
