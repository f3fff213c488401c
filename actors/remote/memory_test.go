package remote

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

// memory keeps what was logged.
type memory struct {
	slog.Handler
	buffer *lines
}

type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // told after a line
}

func newMemory() *memory {
	l := &lines{more: make(chan struct{}, 1)}
	return &memory{slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}), l}
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(b)
	select {
	case l.more <- struct{}{}:
	default:
	}
	return len(b), nil
}

func (m *memory) String() string {
	m.buffer.mu.Lock()
	defer m.buffer.mu.Unlock()
	return m.buffer.text.String()
}

// Enabled implements slog.Handler.
func (m *memory) Enabled(c context.Context, l slog.Level) bool { return m.Handler.Enabled(c, l) }

// says waits until a line holds all of these words.
func (m *memory) says(t testing.TB, words ...string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		for line := range strings.Lines(m.String()) {
			all := true
			for _, w := range words {
				all = all && strings.Contains(line, w)
			}
			if all {
				return
			}
		}
		select {
		case <-m.buffer.more:
		case <-deadline:
			t.Fatalf("nothing in the log says %q", words)
		}
	}
}
