package bench

import (
	"fmt"
	"math/rand/v2"
)

// ringBytes is how much randomness values are cut from: above what a compressor looks back over within one batch, small
// enough to leave most of a processor's cache to others.
const ringBytes = 1 << 20

// Payload gives the keys and values of one client's records without allocating.
type Payload struct {
	ring []byte
	size int
	at   int
	step int // between two values; odd, so that values begin everywhere before they come again
	keys [][]byte
	next int
}

// NewPayload returns values of size bytes, random or zero, and as many distinct keys.
func NewPayload(size int, random bool, keys int) *Payload {
	p := &Payload{size: size, step: size | 1, ring: make([]byte, ringBytes+size)}
	if random {
		var seed [32]byte
		_, _ = rand.NewChaCha8(seed).Read(p.ring) // never fails
	}
	for i := range keys {
		p.keys = append(p.keys, fmt.Appendf(nil, "key-%08d", i))
	}
	return p
}

// Next returns the next key, nil if there are none, and value. Both are valid until the ring has turned: whoever takes
// them copies them at once.
func (p *Payload) Next() (key, value []byte) {
	value = p.ring[p.at : p.at+p.size : p.at+p.size]
	p.at = (p.at + p.step) % ringBytes
	if len(p.keys) > 0 {
		key = p.keys[p.next]
		if p.next++; p.next == len(p.keys) {
			p.next = 0
		}
	}
	return key, value
}
