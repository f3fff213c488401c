package actors

import (
	"encoding/binary"
	"fmt"
	"slices"

	"troupe/partitions"
	"troupe/partitions/id"
)

// A broker tells every other what does not serve as it should there, whenever that changes, and every now and then in any
// case: so that whoever is asked can tell of all, and how old it is what it tells.
//
//	8 health     count u32, count × { problem: length u32, bytes }
//
// mostProblems of problemBytes each are told. They are for people.
const (
	mostProblems = 64
	problemBytes = 1 << 10
)

// health is what another broker has told of itself.
type health struct {
	problems []string
	at       id.Timestamp // when it came, on the clock of who was told
}

// healthFrame tells problems, or as many as fit and how many more there are.
func healthFrame(problems []string) []byte {
	if more := len(problems) - mostProblems + 1; more > 1 {
		problems = append(slices.Clone(problems[:mostProblems-1]), fmt.Sprintf("and %d problems more, which it tells whoever asks it", more))
	}
	b := binary.LittleEndian.AppendUint32(startFrame(frameHealth, 4), uint32(len(problems)))
	for _, p := range problems {
		b = appendBytes(b, p[:min(len(p), problemBytes)])
	}
	return b
}

func (r *frameReader) health() ([]string, error) {
	n := r.count(4)
	if n > mostProblems {
		return nil, fmt.Errorf("%d problems: %w", n, partitions.ErrMalformed)
	}
	var problems []string
	for range n {
		p := r.bytes()
		if len(p) > problemBytes {
			return nil, fmt.Errorf("a problem of %d bytes: %w", len(p), partitions.ErrMalformed)
		}
		problems = append(problems, string(p))
	}
	return problems, r.end("health")
}

// health returns what a broker has last told of itself, and how many milliseconds ago; -1: it never has.
func (p *peer) health(now id.Timestamp) (problems []string, ageMillis int64) {
	h := p.told.Load()
	if h == nil {
		return nil, -1
	}
	return h.problems, int64(max(now-h.at, 0)) // the clock may have been set back
}

// outdated says, as a sentence for an operator, that what is known of a broker that gossip has alive is old; "" where it is not.
// What is told every now and then may be lost once or twice.
func (l Limits) outdated(ageMillis int64) string {
	const lost = 4
	switch most := lost * int64(l.LeadersEvery) * partitions.TickMillis; {
	case ageMillis < 0:
		return "it has told nothing of itself yet; see whether its peer port can be reached from here"
	case ageMillis > most:
		return fmt.Sprintf("it has told nothing of itself for %d s; see whether its peer port can be reached from here", ageMillis/1000)
	}
	return ""
}
