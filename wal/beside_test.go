package wal

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"troupe/partitions/id"
)

// readBeside reads all of a story from several goroutines, over and over, and calls also after each pass, until stop returns.
// Every batch read has to be that of the story; the only error permitted is gone.
func readBeside(t *testing.T, l *Log, s *story, gone error, also func()) (stop func()) {
	t.Helper()
	done := make(chan struct{})
	told := *s // whoever writes beside may add to the story
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				for from := id.Offset(0); from < told.offset; from += 2 {
					batches, err := l.ReadBatches(from, told.offset, 1)
					if err == nil && !bytes.Equal(batches[0], told.batchAt(from)) {
						t.Errorf("another batch than that at offset %d", from)
					}
					if err != nil && !errors.Is(err, gone) {
						t.Errorf("offset %d: %v", from, err)
					}
				}
				also()
			}
		})
	}
	return func() {
		close(done)
		group.Wait()
	}
}
