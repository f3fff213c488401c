// Package catalog is what a cluster agrees on besides its records: which topics there are, their settings, where each
// partition's replicas live, and which brokers may hold some. It is a fold over the records of the partition __catalog-0: an ordinary replica runs it, so
// it is durable, replicated and recovered by the same code as every other partition.
//
// It never performs anything: it does not create a log, pick a leader or know who is alive. Everything that needs the world
// (the nodes of a placement, the time) comes inside a command. Every precondition is evaluated when a command is applied, in the
// order of the log, and the answer comes from there; what a proposer saw before is worth nothing.
//
// Invariants: equal logs give equal states and equal snapshots, to the byte; an id once given (topic, replica, producer) is
// never given again; a State handed out never changes; a refused or unreadable command changes nothing but Version; a
// replica is Doomed, which alone lets its bytes go, only after its topic was deleted or its partition's leader has said that
// it is no member any more; one that lost its log never comes back.
//
// Start reading at catalog.go (the State), then commands.go (what can change it), assignment.go (how a partition moves),
// recovery.go (how one goes on that lost its majority) and succession.go (how the catalog itself does), nodes.go (brokers), fold.go
// (how commands are applied), codec.go (their bytes) and settings.go (the table of topic settings).
package catalog
