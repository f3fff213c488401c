// Package gateway speaks with clients: frames come in, the Broker is asked, frames go out. It decides nothing about
// records, owns no state that outlives a connection, and knows neither actors nor disks.
//
// What holds:
//   - A Session has no socket, no goroutine and no clock: whoever drives it (Server, or a simulation) decides when bytes
//     move. Every frame received leads to exactly one reply.
//   - The Broker is called in the order in which frames arrive, so that a partition gets a connection's batches in the order
//     in which they were sent. Replies go in whatever order they are ready.
//   - A client is told that there is no such topic only by a broker that knows the catalog to be as new as the request
//     (backlog.go); one that cannot know says so.
//   - A batch passes batch.Validate before the Broker sees it.
//   - Nothing waits in a queue without a bound: what is unanswered is counted per connection, in requests and in bytes, and
//     above the limit the socket is not read.
//
// Start reading at session.go, then produce.go and fetch.go; server.go and connection.go are the only files that know of
// sockets. The language itself is in package protocol.
package gateway
