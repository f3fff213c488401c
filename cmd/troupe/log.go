package main

import (
	"io"
	"log/slog"

	"troupe/cmd/troupe/config"
)

// newLog returns the broker's log: text for people at a terminal, JSON elsewhere, unless the format says otherwise.
func newLog(out io.Writer, c config.Log) *slog.Logger {
	var options slog.HandlerOptions
	level := new(slog.LevelVar)
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		panic("config let a log level through that is none: " + c.Level)
	}
	options.Level = level
	if c.Format == "text" || c.Format == "auto" && isTerminal(out) {
		return slog.New(slog.NewTextHandler(out, &options))
	}
	return slog.New(slog.NewJSONHandler(out, &options))
}
