package remote

import (
	"context"
	"log/slog"
)

// demoted lets the library speak at debug level alone: everything it has trouble with ends a stream, which is logged with the
// peer's name and the next step.
func demoted(log *slog.Logger) *slog.Logger {
	return slog.New(demotedHandler{log.With("library", "protoactor").Handler()})
}

type demotedHandler struct{ slog.Handler }

// Enabled implements slog.Handler.
func (h demotedHandler) Enabled(c context.Context, _ slog.Level) bool {
	return h.Handler.Enabled(c, slog.LevelDebug)
}

// Handle implements slog.Handler.
func (h demotedHandler) Handle(c context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	return h.Handler.Handle(c, r)
}

// WithAttrs implements slog.Handler.
func (h demotedHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return demotedHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h demotedHandler) WithGroup(name string) slog.Handler {
	return demotedHandler{h.Handler.WithGroup(name)}
}
