package remote

import (
	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"troupe/partitions/id"
)

// reception is the one actor that links reach. It hands frames to Receive, and tells Reachable, one at a time.
//
// Invariants: of each node only the newest stream's frames are delivered; a stream arrives before its frames and departs
// after them.
type reception struct {
	link    *Link
	streams map[string]*inbound // by name
	newest  map[id.Node]*inbound
	up      map[id.Node]bool // as Reachable was told
	ended   chan struct{}    // closed when it has stopped
}

// What the streams tell the reception.
type (
	arrived  struct{ in *inbound }
	departed struct{ in *inbound }
	reached  struct {
		node id.Node
		up   bool
	}
)

func (r *reception) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *wrapperspb.BytesValue:
		r.deliver(c.Sender(), m.Value)
	case arrived:
		r.arrive(m.in)
	case departed:
		delete(r.streams, m.in.name.Id)
		if r.newest[m.in.peer.Node] == m.in {
			delete(r.newest, m.in.peer.Node)
			r.lost(m.in.peer.Node)
		}
	case reached:
		r.up[m.node] = m.up
		r.guarded(func() { r.link.options.Reachable(m.node, m.up) })
	case *actor.Stopped:
		close(r.ended)
	}
}

// arrive puts a stream in place of the one its node had. A node's older life may have shaken hands first and arrive last.
func (r *reception) arrive(in *inbound) {
	r.streams[in.name.Id] = in
	other := r.newest[in.peer.Node]
	switch {
	case other == nil:
		r.newest[in.peer.Node] = in
	case other.peer.Incarnation > in.peer.Incarnation:
		in.cut()
	default:
		other.cut()
		r.newest[in.peer.Node] = in
		r.lost(in.peer.Node)
	}
}

// lost tells that frames of a node may be lost, answers among them, though this broker's own link to it holds: as if that
// had ended and begun.
func (r *reception) lost(node id.Node) {
	if r.up[node] {
		r.guarded(func() { r.link.options.Reachable(node, false) })
		r.guarded(func() { r.link.options.Reachable(node, true) })
	}
}

// deliver hands over a frame, unless a newer stream of its node has arrived since.
func (r *reception) deliver(name *actor.PID, frame []byte) {
	in := r.streams[name.GetId()]
	if in == nil {
		return
	}
	defer in.release(charge(len(frame)))
	if r.newest[in.peer.Node] == in {
		r.guarded(func() { r.link.options.Receive(in.peer.Node, frame) })
	}
}

// guarded calls out. A panic there must not cost the frames of others: the library would restart this actor without a word,
// and after some times stop it.
func (r *reception) guarded(call func()) {
	defer func() {
		if p := recover(); p != nil {
			r.link.log.Error("what a broker sent was not handled", "panic", p, "next", "report it, with the lines before this one")
		}
	}()
	call()
}
