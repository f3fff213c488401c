package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// A busy broker needs memory that an idle one does not, and Go keeps it: an idle process collects its garbage once in two
// minutes, and then returns pages slowly. Logs rest within a minute: memory is given back when most of them do, and when all do.
const (
	memoryLook   = 10 * time.Second
	idleLooks    = 4        // in a row, before memory is given back
	idleBytes    = 64 << 20 // allocated between two looks, at most, by a broker that idles: what 1,000 partitions do by themselves is half
	worthBytes   = 256 << 20
	allocsMetric = "/gc/heap/allocs:bytes"
)

// memory decides when it is worth to collect garbage and return pages: twice after each time in which much was allocated.
type memory struct {
	seen     uint64 // allocated in all, at the last look
	returned uint64 // the same, when memory was last given back
	idle     int    // looks in a row
	again    int    // the look in that row at which it is given back once more; 0: at none
}

// look takes how much was allocated since the process began.
func (m *memory) look(allocated uint64) (giveBack bool) {
	if allocated-m.seen > idleBytes {
		m.idle, m.again = 0, 0
	} else {
		m.idle++
	}
	m.seen = allocated
	if m.idle > 0 && m.idle == m.again {
		m.returned, m.again = allocated, 0
		return true
	}
	if m.idle < idleLooks || allocated-m.returned < worthBytes {
		return false
	}
	m.returned, m.again = allocated, m.idle+idleLooks
	return true
}

// keepMemory gives memory back until the context ends.
func keepMemory(ctx context.Context) {
	tick := time.NewTicker(memoryLook)
	defer tick.Stop()
	var m memory
	sample := []metrics.Sample{{Name: allocsMetric}}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if metrics.Read(sample); m.look(sample[0].Value.Uint64()) {
			debug.FreeOSMemory()
		}
	}
}
