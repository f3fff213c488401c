package simulation

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// Streams hands out sources of randomness drawn from one seed. Each name has its own, so that a new draw in one does not
// shift the others.
type Streams struct{ seed uint64 }

// Named returns the stream of a name, from its beginning.
func (s Streams) Named(name string) *rand.Rand { return rand.New(s.source(name)) }

// Reader returns the stream of a name as a source of bytes, to stand in for crypto/rand.Reader.
func (s Streams) Reader(name string) *rand.ChaCha8 { return s.source(name) }

func (s Streams) source(name string) *rand.ChaCha8 {
	return rand.NewChaCha8(sha256.Sum256(binary.LittleEndian.AppendUint64([]byte(name+"\x00"), s.seed)))
}

// chance is true in percent of 100 draws.
func chance(r *rand.Rand, percent int) bool { return r.IntN(100) < percent }

// between draws from low to high, both included.
func between(r *rand.Rand, low, high int) int { return low + r.IntN(high-low+1) }
