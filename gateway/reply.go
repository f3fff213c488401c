package gateway

import (
	"time"

	"troupe/gateway/protocol"
)

// Reply is what a client is to get. Its frame is made by whoever sends it, not by the actor that knew the answer.
type Reply struct {
	// Reserved is what Receive returned for the request.
	Reserved int

	correlation uint64
	api         protocol.API // 0 when the request could not be read
	arrived     time.Time    // see Session
	limit       int          // of the frame
	hold        *hold        // of the budget of all connections; nil: the connection itself speaks
	refusal     *protocol.Error
	answer      func() (protocol.Message, *protocol.Error) // when there is no refusal
}

// Frame encodes the reply. It may decompress batches, and takes the memory of the whole response.
func (r Reply) Frame() protocol.Frame {
	frame, _ := r.encode()
	return frame
}

// encode is Frame, and tells which errors are in it.
func (r Reply) encode() (protocol.Frame, []protocol.Code) {
	refusal := r.refusal
	var message protocol.Message
	if refusal == nil {
		message, refusal = r.answer()
	}
	if refusal == nil {
		frame := protocol.EncodeResponse(r.correlation, message)
		n := frame.Len()
		if n <= r.limit {
			return frame, errorsIn(message)
		}
		refusal = protocol.NewError(protocol.CodeInvalidRequest,
			"%v: the response would take %d bytes, frames end at %d; ask for less at a time", message.API(), n, r.limit)
	}
	return protocol.EncodeError(r.correlation, refusal), []protocol.Code{refusal.Code}
}

// errorsIn lists the errors of single partitions and topics in a response.
func errorsIn(m protocol.Message) (codes []protocol.Code) {
	add := func(e *protocol.Error) {
		if e != nil {
			codes = append(codes, e.Code)
		}
	}
	switch m := m.(type) {
	case *protocol.ProduceResponse:
		for i := range m.Partitions {
			add(m.Partitions[i].Err)
		}
	case *protocol.FetchResponse:
		for i := range m.Partitions {
			add(m.Partitions[i].Err)
		}
	case *protocol.ListOffsetsResponse:
		for i := range m.Partitions {
			add(m.Partitions[i].Err)
		}
	case *protocol.DeleteRecordsResponse:
		for i := range m.Partitions {
			add(m.Partitions[i].Err)
		}
	case *protocol.MetadataResponse:
		for i := range m.Topics {
			add(m.Topics[i].Err)
		}
	}
	return codes
}

// Done gives back what the request held. It is called once the frame has been written, or never will be.
func (r Reply) Done() {
	if r.hold != nil {
		r.hold.release()
	}
}

// call is one request on its way to its reply.
type call struct {
	session     *Session
	correlation uint64
	api         protocol.API
	arrived     time.Time
	reserved    int
	hold        *hold
}

func (c call) reply(m protocol.Message) {
	c.replyWith(func() (protocol.Message, *protocol.Error) { return m, nil })
}

// replyWith has the answer made when the frame is.
func (c call) replyWith(answer func() (protocol.Message, *protocol.Error)) {
	c.send(Reply{answer: answer})
}

func (c call) refuse(e *protocol.Error) { c.send(Reply{refusal: e}) }

// send completes a reply with what it needs to know of its request.
func (c call) send(r Reply) {
	r.Reserved, r.correlation, r.api, r.arrived, r.hold = c.reserved, c.correlation, c.api, c.arrived, c.hold
	r.limit = c.session.limits.FrameBytes
	c.session.send(r)
}
