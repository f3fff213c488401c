package real

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"troupe/simulation"
)

// Report is what became of a run.
type Report struct {
	Seed   uint64
	Length time.Duration
	Early  bool // it was interrupted
	// Faults counts what happened, by name; Skipped tells why something could not.
	Faults  map[string]int
	Skipped map[string]string `json:",omitempty"`
	Flipped int               // bytes that were flipped: a fault of that name may find nothing large enough
	// Sent, Acknowledged, Failed and Unknown count records; Read counts all readers'.
	Sent, Acknowledged, Failed, Unknown, Read int
	Lists                                     int
	Damaged                                   int // times that a client was told of damage
	// Failovers is, by what was done to a leader, how long its partitions acknowledged nothing that was sent since.
	Failovers map[string][]time.Duration
	// Stages are the parts of a cluster's growth, which has no faults.
	Stages    []*Stage              `json:",omitempty"`
	Violation *simulation.Violation `json:",omitempty"`
	Kept      string                `json:",omitempty"` // where the history and the brokers' logs are
}

// sum adds up what the chronicle knows.
func (r *run) sum(early bool) {
	c, s := r.chronicle, r.report
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Early, s.Violation, s.Failovers, s.Damaged, s.Read, s.Lists = early && c.broken == nil, c.broken, c.failovers, c.damaged, c.records, len(c.history.Lists)
	for _, send := range c.history.Sends {
		s.Sent++
		switch send.Outcome {
		case simulation.OutcomeAcknowledged:
			s.Acknowledged++
		case simulation.OutcomeFailed:
			s.Failed++
		default:
			s.Unknown++
		}
	}
	for _, stage := range s.Stages {
		stage.weigh(&c.history)
	}
}

// Replay is the command that does the same again, as far as that is possible.
func (r *Report) Replay() string {
	if len(r.Stages) > 0 {
		return fmt.Sprintf("bin/troupe-sim --growth --seed %d --trace", r.Seed)
	}
	return fmt.Sprintf("bin/troupe-sim --real %.3g --seed %d --trace", r.Length.Minutes(), r.Seed)
}

// Print writes the report for people.
func (r *Report) Print(out io.Writer) {
	line := func(name, format string, arguments ...any) {
		fmt.Fprintf(out, "%-10s %s\n", name, fmt.Sprintf(format, arguments...))
	}
	line("seed", "%d", r.Seed)
	if len(r.Stages) == 0 {
		var words []string
		for _, f := range faults {
			words = append(words, fmt.Sprintf("%s %d", f.name, r.Faults[f.name]))
		}
		line("faults", "%s; %d bytes flipped", strings.Join(words, ", "), r.Flipped)
	}
	for _, s := range r.Stages {
		s.print(line)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Skipped)) {
		line("skipped", "%s: %s", name, r.Skipped[name])
	}
	line("clients", "%d records sent, %d acknowledged, %d failed, %d of unknown fate; %d read; %d answers about an end; told of damage %d times",
		r.Sent, r.Acknowledged, r.Failed, r.Unknown, r.Read, r.Lists, r.Damaged)
	for _, f := range faults {
		if all := slices.Sorted(slices.Values(r.Failovers[f.name])); len(all) > 0 {
			line("took over", "%s of a leader, %d times: median %v, worst %v", f.name, len(all),
				all[len(all)/2].Round(time.Millisecond), all[len(all)-1].Round(time.Millisecond))
		}
	}
	switch {
	case r.Violation != nil:
		line("verdict", "BROKEN %v", r.Violation)
		line("kept", "%s has the history, the brokers' logs and their data", r.Kept)
		line("replay", "%s", r.Replay())
	case r.Early:
		line("verdict", "interrupted; every promise kept so far")
	default:
		line("verdict", "every promise kept")
	}
}

// historyName is the file of a run that was kept.
const historyName = "history.jsonl"

// writeHistory writes a history as JSON, a send, poll or answer a line.
func writeHistory(path string, h *simulation.History) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	buffer := bufio.NewWriter(file)
	encoder := json.NewEncoder(buffer)
	for _, s := range h.Sends {
		err = errors.Join(err, encoder.Encode(map[string]any{"send": s}))
	}
	for _, p := range h.Polls {
		err = errors.Join(err, encoder.Encode(map[string]any{"poll": p}))
	}
	for _, l := range h.Lists {
		err = errors.Join(err, encoder.Encode(map[string]any{"list": l}))
	}
	return errors.Join(err, buffer.Flush())
}
