// Package actors acts: it runs each decision of package partitions as a supervised actor, and moves the messages.
//
//	node ─┬─ ticker                one clock for every partition; tells other brokers what this one leads
//	      ├─ warden                looks at the room on the disk
//	      ├─ scrubber              has old segments verified
//	      ├─ catalog               follows __catalog-0: starts and removes partitions, writes the routing table
//	      ├─ courier-<node>        what goes to one other broker, and the answers that come back
//	      └─ partition/<topic>/<n> ── storage      one Replica, one Log
//
// The router is no actor: it reads an immutable table behind an atomic pointer, and puts each request through the door
// (door.go) of the actor that serves it: the partition's, where it is led here, or else the courier's to the broker that is
// known to lead it (leaders.go). A request travels to another broker once; one that did nothing there, because another leads,
// may be sent to that one instead (journey.go).
//
// It never decides what a record means or who leads (partitions does), reads no clock, draws no random number and starts no
// goroutine: see Seams. world.go alone touches the real world; simulations leave it out.
//
// Invariants:
//   - Every request's completion is called exactly once, whatever fails, stops or panics. Requests never travel in
//     mailboxes, which lose what they hold when an actor stops; they wait behind doors, and their actor's shell holds them
//     from there on.
//   - A replica, its log and everything started for them carry one instance number. What comes back under another number is
//     dropped.
//   - A log is closed when all pool work on it has ended, and opened again only after it was closed.
//   - What came from another broker (peer.go) is bounded, and may come late, twice or never: messages are raft's matter,
//     requests have a number that is let in once (questions.go), answers meet the request of their number or nothing.
//   - A request that may have had an effect is never said to have had none: once it is sent, losing its answer leaves the
//     outcome unknown.
//   - A partition is called unknown only when the catalog known here is as new as that of its leader was when the request came
//     (refresh.go).
//   - A partition that stops serving stays in the table and says why: it never vanishes.
//   - Actors of one broker do the same things in the same order for the same order of messages: no map is walked where the
//     order can be seen.
//
// Start reading at node.go, then router.go, partition.go (a partition's life), turn.go (its work) and storage.go.
package actors
