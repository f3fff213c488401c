// Package remote links brokers: it carries frames, whose meaning it does not know, from one broker to another through
// protoactor's remote, and lets nobody else in. A link is at most once and silent about what it loses; everything above
// retries, and fences by term, epoch or request id.
//
// It decides nothing, imports no room but partitions/id, and is no part of a simulation, which has a network of its own:
// here are real sockets, clocks, goroutines and randomness.
//
// # Whom it defends against
//
// Strangers reach the port: they send garbage, speak TLS or HTTP/2 of their own, hold connections open, or have another
// cluster's secret. Copies come along: a data directory that was copied or restored, under a node id that lives. And members
// err: an address that is another node's by now, a version that cannot be understood. None of these may end the process,
// reach an actor, speak for a node, grow memory without bound, fill the log, or disturb links between others.
//
// Who has the secret is trusted: it may claim any node. A peer that was let in may still flood, within its budget.
//
//   - Encrypted links (transport.go, keyring.go) show certificates on both sides, minted from the secret (certificate.go),
//     which name cluster and node. Only what an accepted secret, or an operator's own authority, signed gets as far as
//     HTTP/2. Without a secret the port must be on loopback, and only processes of this machine are dialed.
//   - The hello (identity.go) is said by both sides before the first frame, held against the certificate and against the
//     lives of that node met before (acquaintances.go) and what gossip knows of it (Options.Admit): another cluster or
//     epoch of it, an older life, a twin, another version, and for a dialer another node than it meant, are refused.
//   - Every call but the one stream is refused (inbound.go). On the stream the guard (guard.go) lets pass messages of one
//     form, and addresses them itself: the library looks types up by name, indexes lists by what the peer says and delivers to
//     any actor, and would crash or obey. Its actor system is one of the link's own, in which there is no partition to reach.
//   - What is refused is told the log with the next step, once per cause and peer, then once a minute (refusals.go).
//
// # Invariants
//
//   - A frame is delivered at most once, whole, under the node that its stream was authenticated as. Frames of one caller to
//     one node that arrive, arrive in order; of two streams of one node only the newest one's frames are delivered.
//   - Send never blocks. Bytes that wait for a peer are bounded by PeerBytes until gRPC has taken them, whatever the library's
//     queues hold; bytes that wait for Receive by mostUndelivered and one message per peer, after which its stream is not read.
//   - Nothing of one attempt at a link reaches the next: each is another address to the library (outbound.go).
//
// One process has one Link: the library's Start replaces gRPC's logger, which a second one would read meanwhile.
//
// Start reading at link.go, then outbound.go (frames out), inbound.go and reception.go (frames in).
package remote
