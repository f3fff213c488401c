// Package partitions decides. It holds the pure state machines of a replica, its log as it sees it, and (in catalog) the
// fold of topics and settings. It never reads a clock, touches a disk or a network, draws a random number, starts a
// goroutine or takes a lock: time is handed in, work is handed back in an Outbox.
//
// Start reading at replica.go, then append.go, apply.go and fetch.go; log.go is what it needs from a disk.
package partitions
