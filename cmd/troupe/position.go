package main

import (
	"strconv"
	"strings"
	"time"

	"troupe/gateway/client"
	"troupe/partitions/id"
)

// position is where to begin, as --from says it.
type position struct {
	client.Position
	offset id.Offset // noOffset unless the position is one
}

const noOffset id.Offset = -1

// parsePosition reads where to begin, as --from says it.
func parsePosition(text string, now time.Time) (position, error) {
	return parsePlace("--from", text, now)
}

// parsePlace reads, for a flag, start, end, an offset, a time, or a duration before now such as -1h or -7d.
func parsePlace(flag, text string, now time.Time) (position, error) {
	switch text {
	case "start":
		return position{client.FromStart(), noOffset}, nil
	case "end":
		return position{client.FromEnd(), noOffset}, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
		return position{client.FromOffset(id.Offset(n)), id.Offset(n)}, nil
	}
	if ago, ok := strings.CutPrefix(text, "-"); ok {
		if d, err := parseDuration(ago); err == nil {
			return position{client.FromTime(now.Add(-d)), noOffset}, nil
		}
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return position{client.FromTime(t), noOffset}, nil
		}
	}
	return position{}, usagef("%s is %q; it can be start, end, an offset such as 42, a time such as 2015-05-17T10:05:03Z, or a "+
		"time ago such as -1h or -7d", flag, text)
}

// parseDuration reads what time.ParseDuration does, and days as in 7d.
func parseDuration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		return time.Duration(n * float64(24*time.Hour)), err
	}
	return time.ParseDuration(text)
}

// bound is where to stop, as --until says it.
type bound struct {
	never  bool      // of itself
	end    bool      // where each partition ends now
	offset id.Offset // exclusive, if neither
}

// parseBound reads end or an offset; nothing never stops.
func parseBound(text string) (bound, error) {
	switch text {
	case "":
		return bound{never: true}, nil
	case "end":
		return bound{end: true}, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return bound{}, usagef("--until is %q; it can be end or an offset", text)
	}
	return bound{offset: id.Offset(n)}, nil
}
