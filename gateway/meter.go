package gateway

import (
	"time"

	"troupe/gateway/protocol"
)

// Meter is told what clients do and get, for whoever keeps count. Its methods are called by connections at the same time,
// a few times for each request, never for each record. They must not block.
type Meter interface {
	// Connected and Disconnected tell of a connection that is served; TurnedAway of one that met a limit.
	Connected()
	Disconnected()
	TurnedAway()
	// Received tells of a request: a whole frame of so many bytes, or one that was refused while it came.
	Received(bytes int)
	// Answered tells what became of it; once for each Received.
	Answered(Answered)
}

// Answered is what became of one request.
type Answered struct {
	API    protocol.API    // 0 when the request could not be read
	Took   time.Duration   // from the request's last byte until its answer was made
	Bytes  int             // of the answer, handed to the socket; 0 when there was nobody left to send it to
	Errors []protocol.Code // of the whole request, or of single partitions in the answer
}

type unmetered struct{}

func (unmetered) Connected()        {}
func (unmetered) Disconnected()     {}
func (unmetered) TurnedAway()       {}
func (unmetered) Received(int)      {}
func (unmetered) Answered(Answered) {}
