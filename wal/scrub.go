package wal

import (
	"sort"
	"sync"

	"troupe/partitions/id"
)

// scrubBytes are read at once.
const scrubBytes = 256 << 10

// scrubPool holds what scrubs read into. A broker that does nothing else must not look busy to its garbage collector.
var scrubPool = sync.Pool{New: func() any { return new([]byte) }}

// Scrub implements partitions.Log. It looks at nothing that a read would not, and keeps nothing: no index is built.
func (l *Log) Scrub(from id.Index) (next id.Index, read int64, err error) {
	if err := l.reading(); err != nil {
		return 0, 0, err
	}
	defer l.life.RUnlock()
	l.mu.Lock()
	i := sort.Search(len(l.segments), func(i int) bool { return i+1 == len(l.segments) || l.segments[i+1].first > from })
	v, closed := l.viewLocked(i), i+1 < len(l.segments)
	l.mu.Unlock()
	if !closed {
		return 0, 0, nil
	}
	c, err := l.open(v, 0, v.first, scrubBytes)
	if err != nil {
		return v.want, 0, err
	}
	defer c.close()
	c.shared = scrubPool.Get().(*[]byte)
	defer scrubPool.Put(c.shared)
	for {
		st, ok, err := c.next()
		switch {
		case err != nil:
			return v.want, c.size, err
		case ok && st.bad, !ok && c.expect != v.want:
			return v.want, c.size, l.damaged(v, c.base+int64(st.at), st.index)
		case !ok:
			return v.want, c.size, nil
		}
	}
}
