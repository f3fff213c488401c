// Package actors acts: it runs each decision of package partitions as a supervised actor, and moves the messages.
//
//	node ─┬─ ticker                one clock for every partition
//	      ├─ catalog               follows __catalog-0: starts and removes partitions, writes the routing table
//	      └─ partition/<topic>/<n> ── storage      one Replica, one Log
//
// The router is no actor: it reads an immutable table behind an atomic pointer, and puts each request through the door
// (door.go) of the actor that serves it.
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
//   - A partition that stops serving stays in the table and says why: it never vanishes.
//   - Actors of one broker do the same things in the same order for the same order of messages: no map is walked where the
//     order can be seen.
//
// Start reading at node.go, then router.go, partition.go (a partition's life), turn.go (its work) and storage.go.
package actors
