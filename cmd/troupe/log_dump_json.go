package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"troupe/partitions/id"
	"troupe/wal"
)

// dumpedLog is what programs are told of a log; its frames follow, one by one.
type dumpedLog struct {
	verifiedLog
	Slots       []dumpedSlot       `json:"slots"`
	Checkpoints []dumpedCheckpoint `json:"checkpoints"`
}

type dumpedSlot struct {
	Verifies bool       `json:"verifies"`
	Stands   bool       `json:"stands"`
	Sequence uint64     `json:"sequence"`
	Term     id.Term    `json:"term"`
	Vote     id.Replica `json:"vote"`
	Commit   id.Index   `json:"commit"`
	Durable  id.Index   `json:"durable"`
	Phase    wal.Phase  `json:"phase"`
}

type dumpedCheckpoint struct {
	Name      string       `json:"name"`
	Bytes     int64        `json:"bytes"`
	Verifies  bool         `json:"verifies"`
	Index     id.Index     `json:"index"`
	Term      id.Term      `json:"term"`
	LogStart  id.Offset    `json:"log_start"`
	Next      id.Offset    `json:"next_offset"`
	Producers int          `json:"producers"`
	Voters    []id.Replica `json:"voters"`
}

// dumpJSON prints one document for each log, a line for each frame: it may have millions.
func (s *session) dumpJSON(l *logs, d dumping) error {
	for _, stored := range l.Replicas {
		i, err := l.Inspect(stored)
		if err != nil {
			return err
		}
		head, err := json.MarshalIndent(dumpedOf(l, i), "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%s,\n  \"frames\": [", strings.TrimSuffix(string(head), "\n}"))
		comma := "\n    "
		err = l.each(stored, d, func(f dumpedFrame) error {
			line, err := json.Marshal(f)
			if err == nil {
				_, err = fmt.Fprintf(s.out, "%s%s", comma, line)
			}
			comma = ",\n    "
			return err
		})
		fmt.Fprintln(s.out, "\n  ]\n}")
		if err != nil {
			return err
		}
	}
	return nil
}

func dumpedOf(l *logs, i *wal.Inspection) dumpedLog {
	d := dumpedLog{verifiedLog: l.verified(i), Slots: []dumpedSlot{}, Checkpoints: []dumpedCheckpoint{}}
	for _, slot := range i.Slots {
		h := slot.Slot.HardState
		d.Slots = append(d.Slots, dumpedSlot{slot.Err == nil, slot.Stands, slot.Slot.Sequence, h.Term, h.Vote, h.Commit, slot.Slot.Durable, slot.Slot.Phase})
	}
	for _, c := range i.Checkpoints {
		out := dumpedCheckpoint{Name: c.Name, Bytes: c.Bytes, Verifies: c.Err == nil}
		if p := c.Checkpoint; p != nil {
			out.Index, out.Term, out.LogStart, out.Next = p.Index, p.Term, p.LogStart, p.NextOffset
			out.Producers, out.Voters = len(p.Producers), p.Configuration.Voters
		}
		d.Checkpoints = append(d.Checkpoints, out)
	}
	return d
}
