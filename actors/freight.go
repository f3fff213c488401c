package actors

import (
	"fmt"
	"sync"

	"troupe/partitions"
)

// pieceBytes is how much of a frame that is too large for one travels in each piece.
const pieceBytes = 1 << 20

// freight are the frames that are too large for one: states of large partitions. They leave piece by piece, one frame after
// the other, a few pieces with each beat: what a partition waits for is not held up by them.
type freight struct {
	loads   []load
	parcels uint64 // numbers given
}

type load struct {
	parcel uint64
	frame  []byte
	at     int
	sender sender // its address is nil where nobody waits to be told
}

func (f *freight) waits() bool { return len(f.loads) > 0 }

func (f *freight) bytes() (n int) {
	for _, l := range f.loads {
		n += len(l.frame)
	}
	return n
}

func (f *freight) add(frame []byte, s sender) {
	f.parcels++
	f.loads = append(f.loads, load{parcel: f.parcels, frame: frame, sender: s})
}

// load takes on a message that is too large for a frame, unless it is too large for freight, too.
func (c *courier) load(l *letter) {
	s := sender{l.address, l.message.To}
	size := frameHeader + l.size()
	if size > c.limits.FreightBytes {
		c.send(s.address.pid, unreachable{replica: s.to, problem: fmt.Sprintf(
			"serves, but its copy on broker %v cannot be brought up to date: a state of %d bytes is to travel, and %d may",
			c.peer.node, size, c.limits.FreightBytes)})
		return
	}
	if size+c.freight.bytes() > c.limits.FreightBytes {
		c.unreachable([]sender{s})
		return
	}
	c.freight.add(l.appendTo(startFrame(frameMessages, l.size())), s)
	c.carry()
}

// carry sends the next pieces.
func (c *courier) carry() {
	for left := c.limits.FreightABeat; left > 0 && c.freight.waits(); {
		l := &c.freight.loads[0]
		end := min(l.at+pieceBytes, len(l.frame))
		sent := c.dispatch(piece{parcel: l.parcel, size: uint32(len(l.frame)), at: uint32(l.at), bytes: l.frame[l.at:end]}.frame())
		left -= end - l.at
		l.at = end
		if !sent && l.sender.address != nil {
			c.unreachable([]sender{l.sender})
		}
		if !sent || l.at == len(l.frame) {
			c.freight.loads[0] = load{}
			c.freight.loads = c.freight.loads[1:]
		}
	}
}

// drop gives up what has not left whole.
func (c *courier) drop() {
	for _, l := range c.freight.loads {
		if l.sender.address != nil {
			c.unreachable([]sender{l.sender})
		}
	}
	c.freight.loads = nil
}

// assembly puts the pieces of one broker's frames together again. They come in order or not at all: a piece that does not
// continue what is there ends that frame, and another begins only with its first piece.
type assembly struct {
	mu     sync.Mutex
	parcel uint64
	frame  []byte // nil: none is under way
}

// add takes a piece, and returns the frame that it completes.
func (a *assembly) add(r frameReader, most int) (whole []byte, err error) {
	p, err := r.piece()
	if err != nil {
		return nil, err
	}
	if int64(p.size) > int64(most) {
		return nil, fmt.Errorf("piece of a frame of %d bytes, allowed are %d: %w", p.size, most, partitions.ErrMalformed)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case p.at == 0:
		a.parcel, a.frame = p.parcel, make([]byte, 0, p.size)
	case a.frame == nil || p.parcel != a.parcel || int(p.at) != len(a.frame) || int(p.size) != cap(a.frame):
		a.frame = nil
		return nil, nil
	}
	a.frame = append(a.frame, p.bytes...)
	if len(a.frame) < int(p.size) {
		return nil, nil
	}
	whole, a.frame = a.frame, nil
	if kind, _, _ := openFrame(whole); kind == framePiece {
		return nil, fmt.Errorf("a piece of a piece: %w", partitions.ErrMalformed)
	}
	return whole, nil
}
