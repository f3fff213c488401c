package simulation

import (
	"context"
	"errors"
	"log/slog"
	"strings"
)

// logbook takes what a broker logs into the trace. A panic that the broker caught and logged ends the run: nothing that is
// simulated may cause one.
type logbook struct {
	broker string
	trace  *Trace
}

// Enabled takes everything.
func (logbook) Enabled(context.Context, slog.Level) bool { return true }

// Handle adds a record to the trace.
func (l logbook) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	var reason any = r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key != "stack" || r.Message == "panic" && l.trace.out != nil {
			if a.Key == "reason" {
				reason = a.Value.Any()
			}
			b.WriteString("  " + a.Key + "=" + a.Value.String())
		}
		return true
	})
	l.trace.event(l.broker, "log "+strings.ToLower(r.Level.String()), "%s%s", r.Message, b.String())
	if err, ok := reason.(error); ok && errors.Is(err, errInjected) {
		return nil
	}
	if r.Message == "panic" || strings.HasPrefix(r.Message, "an actor failed") {
		l.trace.raised = raised(reason)
	}
	return nil
}

// WithAttrs changes nothing: what is added for all records is of no interest here.
func (l logbook) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup changes nothing.
func (l logbook) WithGroup(string) slog.Handler { return l }
