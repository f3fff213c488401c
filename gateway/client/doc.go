// Package client is how Go programs write to and read from Troupe. One Client does both, and administers; it is safe for
// concurrent use. Every call that may wait takes a context.
//
// Writing is fast and safe by default: records of a partition travel in batches, acknowledged by a quorum, and each batch
// carries a producer id and sequence numbers, so that sending it again cannot append it twice. Reading fetches ahead, within
// a bound.
//
// It never claims more than it knows: when a batch was sent and its fate cannot be learned before the delivery timeout, the
// error says OUTCOME_UNKNOWN, never "failed". It has no queue without a bound.
//
// One broker that answers is enough: the others are learned of from it, and any of them answers any request. What concerns a
// partition goes to its leader where that is known; whoever else is asked forwards it, or points to the leader.
//
// What holds:
//   - The records of one partition are appended in the order of Produce, and their callbacks come in that order.
//   - A batch that may have been appended is never sent under another producer id.
//   - What is told of an earlier term than has been seen of a partition counts for nothing, and neither does what a broker
//     says that is behind with the catalog.
//   - A goroutine per partition (a lane) owns everything that concerns what is in flight there; Produce only appends to the
//     batch being filled, under the lane's lock, which is never held while anything waits.
//
// Start reading at produce.go and lane.go for writing, consume.go and reader.go for reading; connection.go, brokers.go (whom
// to ask) and leading.go (who leads) are what both stand on.
package client
