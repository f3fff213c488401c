// Package real is the simulator's idea against the world: broker processes on real files, sockets and clocks, producers and
// consumers that speak to any of them with the client library, faults drawn from a seed, and the simulator's own oracle, which
// judges what the clients saw. It finds what the simulation cannot: what is wrong in the layers that the simulation replaces.
//
// A run is not repeatable: the seed draws the faults and what clients do, the machine decides the rest. What a failed run saw
// is kept: the history, the brokers' logs and their data.
//
// What holds:
//   - At most one broker is harmed at a time: the others are a quorum, and are expected to go on. What takes bytes away waits
//     before and after until every replica has everything again.
//   - Each fault has a counter; one that cannot be had here (a mount, a network namespace) is named as skipped, never silently.
//   - Memory, records, processes and waits are bounded; no process, mount or namespace outlives the run, whatever ends it.
//
// What happens to the brokers is one of two: Run harms them, Grow has some come and others go for ever.
//
// Start reading at run.go (what a run is), then faults.go (what is done to brokers), growth.go (how they come and go), workload.go
// (what clients do), ending.go (what must hold afterwards).
package real
