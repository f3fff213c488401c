package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"
	"troupe/wal"
)

// dumping is what the flags of log dump say.
type dumping struct {
	partition string
	from      uint64
	most      int
}

func logDumpCommand(s *session) *cobra.Command {
	var d dumping
	command := &cobra.Command{
		Use:   "dump DIR",
		Short: "Print what is in a log: its frames, hard state and checkpoints",
		Long: `Prints the logs below a broker's data directory, or one replica's directory, while no broker runs on it, and changes
nothing: whose directory it is, the hard state's slots, the checkpoints, and every frame. What does not verify is shown as
such, in its place. Records themselves are not printed: ` + "`troupe consume`" + ` does that.`,
		Example: `  troupe log dump ./troupe-data --partition hello/0 -n 20
  troupe log dump ./troupe-data/replicas/t17-p0-r3 --from 1000 --output json`,
		Args: oneDirectory,
		RunE: func(_ *cobra.Command, arguments []string) error {
			if d.most < 0 {
				return usagef("-n %d: a count is above 0", d.most)
			}
			l, err := openLogs("dump", arguments[0], d.partition)
			if err != nil {
				return err
			}
			return errors.Join(s.dumpLogs(l, d), l.Close())
		},
	}
	partitionFlag(command, &d.partition)
	command.Flags().Uint64Var(&d.from, "from", 0, "the first entry to print, by its index")
	command.Flags().IntVarP(&d.most, "count", "n", 0, "print so many frames of each log; default: all")
	return command
}

// dumpedFrame is one frame, or bytes that do not verify, as a dump shows it.
type dumpedFrame struct {
	Index      id.Index     `json:"index"`
	Term       id.Term      `json:"term,omitempty"`
	Type       string       `json:"type"`
	First      *id.Offset   `json:"first_offset,omitempty"`
	Next       *id.Offset   `json:"next_offset,omitempty"`
	Records    int32        `json:"records"`
	AppendTime id.Timestamp `json:"append_time_ms"`
	Synced     id.Index     `json:"synced"`
	Bytes      int64        `json:"bytes"`
	Segment    string       `json:"segment"`
	At         int64        `json:"at"`
}

// typeBad stands for bytes that do not verify.
const typeBad = "DOES NOT VERIFY"

// dumped describes a stretch of a log.
func dumped(f wal.Stretch) dumpedFrame {
	d := dumpedFrame{Index: f.Index, Type: typeBad, Bytes: f.End - f.At, Segment: f.Segment, At: f.At}
	if f.Bad {
		return d
	}
	e := &f.Frame.Entry
	d.Term, d.AppendTime, d.Synced = e.Term, e.AppendTime, f.Frame.Synced
	span := func(first, next id.Offset) { d.First, d.Next = &first, &next }
	switch e.Type {
	case partitions.EntryEmpty:
		d.Type = "empty"
	case partitions.EntryConfiguration:
		d.Type = "configuration"
	case partitions.EntryBatch:
		d.Type = "batch"
		if h, err := batch.ParseHeader(e.Payload); err == nil {
			span(h.BaseOffset, h.NextOffset())
			d.Records = h.Records
		}
	case partitions.EntryLogStart:
		d.Type = "log start"
		if len(e.Payload) == 8 {
			at := id.Offset(binary.LittleEndian.Uint64(e.Payload))
			d.First = &at
		}
	case partitions.EntryGap:
		d.Type = "gap"
		if g, err := partitions.ParseGap(e.Payload); err == nil {
			span(g.First, g.Next)
		}
	default:
		d.Type = fmt.Sprintf("type %d", e.Type)
	}
	return d
}

// row is a frame in a table for people.
func (d dumpedFrame) row() []string {
	number := func(n uint64) string {
		if d.Type == typeBad {
			return ""
		}
		return strconv.FormatUint(n, 10)
	}
	span, records, at := "", "", ""
	switch {
	case d.First != nil && d.Next != nil:
		span = offsets(*d.First, *d.Next)
		records = strconv.Itoa(int(d.Records))
	case d.First != nil:
		span = fmt.Sprintf("from %d", *d.First)
	}
	if d.AppendTime != 0 {
		at = time.UnixMilli(int64(d.AppendTime)).UTC().Format("2006-01-02T15:04:05.000Z")
	}
	return []string{strconv.FormatUint(uint64(d.Index), 10), number(uint64(d.Term)), d.Type, span, records, at, number(uint64(d.Synced)),
		strconv.FormatInt(d.Bytes, 10), strings.TrimLeft(d.Segment, "0") + ":" + strconv.FormatInt(d.At, 10)}
}

var dumpTitles = []string{"INDEX", "TERM", "TYPE", "OFFSETS", "RECORDS", "APPENDED", "SYNCED", "BYTES", "SEGMENT:BYTE"}

// rowsAtOnce are aligned with each other: a table of millions would have to be held whole.
const rowsAtOnce = 500

// dumpLogs prints all.
func (s *session) dumpLogs(l *logs, d dumping) error {
	if s.output == "json" {
		return s.dumpJSON(l, d)
	}
	if l.Data != "" {
		fmt.Fprintf(s.out, "directory %s: %s\n", l.directory, l.whose())
	}
	for _, stored := range l.Replicas {
		i, err := l.Inspect(stored)
		if err != nil {
			return err
		}
		if err := s.dumpState(l, i); err != nil || stored.Missing {
			return err
		}
		fmt.Fprintln(s.out)
		var rows [][]string
		flush := func() error {
			err := s.table(dumpTitles, rows)
			rows = rows[:0]
			return err
		}
		err = l.each(stored, d, func(f dumpedFrame) error {
			if rows = append(rows, f.row()); len(rows) == rowsAtOnce {
				return flush()
			}
			return nil
		})
		if err == nil && len(rows) > 0 {
			err = flush()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// each visits the frames that were asked for.
func (l *logs) each(stored wal.Stored, d dumping, visit func(dumpedFrame) error) error {
	n := 0
	return l.Frames(stored, id.Index(d.from), func(f wal.Stretch) (bool, error) {
		n++
		return d.most == 0 || n < d.most, visit(dumped(f))
	})
}

// whose tells to whom a data directory belongs.
func (l *logs) whose() string {
	if problem := l.Problem(); problem != nil {
		return problem.Error()
	}
	cluster := "no cluster yet"
	if l.Identity.Cluster != 0 {
		cluster = "cluster " + l.Identity.Cluster.String()
	}
	return fmt.Sprintf("node %v, %s, opened %s, %s registered", l.Identity.Node, cluster,
		plural(int64(l.Identity.Incarnation), "time"), plural(int64(len(l.Register)), "change"))
}

// phaseNotes tell of logs that do not continue from a checkpoint.
var phaseNotes = map[wal.Phase]string{
	wal.PhaseEmpty: " (empty, waits for its first snapshot)", wal.PhaseInstalling: " (a snapshot replaces the log)",
}

// dumpState prints what is beside the frames.
func (s *session) dumpState(l *logs, i *wal.Inspection) error {
	registered := "registered"
	if !i.Stored.Registered {
		registered = "not registered"
	}
	fmt.Fprintf(s.out, "\n%s, replica %d, %s: %s\n", l.title(i.Stored), i.Stored.Replica, registered, i.Health())
	var rows [][]string
	for place, slot := range i.Slots {
		if slot.Err != nil {
			rows = append(rows, []string{strconv.Itoa(place), "", "", "", "", "", oneLine(slot.Err)})
			continue
		}
		note := phaseNotes[slot.Slot.Phase]
		if slot.Stands {
			note = "stands" + note
		}
		h := slot.Slot.HardState
		rows = append(rows, []string{strconv.Itoa(place), strconv.FormatUint(slot.Slot.Sequence, 10), strconv.FormatUint(uint64(h.Term), 10),
			strconv.FormatUint(uint64(h.Vote), 10), strconv.FormatUint(uint64(h.Commit), 10), strconv.FormatUint(uint64(slot.Slot.Durable), 10), note})
	}
	fmt.Fprintln(s.out)
	if err := s.table([]string{"SLOT", "SEQUENCE", "TERM", "VOTE", "COMMIT", "DURABLE", ""}, rows); err != nil || len(i.Checkpoints) == 0 {
		return err
	}
	rows = nil
	for _, c := range i.Checkpoints {
		if c.Err != nil {
			rows = append(rows, []string{c.Name, "", "", "", "", "", strconv.FormatInt(c.Bytes, 10), oneLine(c.Err)})
			continue
		}
		p := c.Checkpoint
		rows = append(rows, []string{c.Name, strconv.FormatUint(uint64(p.Term), 10), strconv.FormatInt(int64(p.LogStart), 10),
			strconv.FormatInt(int64(p.NextOffset), 10), strconv.Itoa(len(p.Producers)), fmt.Sprint(p.Configuration.Voters), strconv.FormatInt(c.Bytes, 10), ""})
	}
	fmt.Fprintln(s.out)
	return s.table([]string{"CHECKPOINT", "TERM", "LOG START", "NEXT OFFSET", "PRODUCERS", "VOTERS", "BYTES", ""}, rows)
}
