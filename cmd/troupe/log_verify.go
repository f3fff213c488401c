package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"troupe/partitions/id"
	"troupe/wal"
)

func logVerifyCommand(s *session) *cobra.Command {
	var partition string
	command := &cobra.Command{
		Use:   "verify DIR",
		Short: "Verify every checksum of the logs in a directory",
		Long: `Reads the logs below a broker's data directory, or one replica's directory, while no broker runs on it, and changes
nothing. Every checksum is verified, entries and offsets must be without gaps, checkpoints must agree with the log.

What is found:
  torn               an end that was never acknowledged, as a crash leaves it; the next start cuts it off
  spare damaged      a checkpoint that another one and the log make up for; nothing is missing
  damaged: hole      entries are missing, and all around them verifies
  damaged: amnesia   the end or the hard state is not what it was: more may be missing than can be told
  contradicts itself what verifies cannot all be true: a bug
  newer              written by a newer Troupe

Exits 0 if all is whole or torn, 10 if anything is damaged, 1 if it cannot be told.`,
		Example: `  troupe log verify ./troupe-data
  troupe log verify ./troupe-data --partition hello/0 --output json
  troupe log verify ./troupe-data/replicas/t17-p0-r3`,
		Args: oneDirectory,
		RunE: func(_ *cobra.Command, arguments []string) error {
			l, err := openLogs("verify", arguments[0], partition)
			if err != nil {
				return err
			}
			return errors.Join(s.verifyLogs(l), l.Close())
		},
	}
	partitionFlag(command, &partition)
	return command
}

// damagedError tells that logs were read and are not whole.
type damagedError struct{ sentence string }

// Error returns the sentence.
func (e *damagedError) Error() string { return e.sentence }

// verifiedLog is one log as programs are told of it.
type verifiedLog struct {
	Partition  string     `json:"partition"`
	Replica    id.Replica `json:"replica"`
	Directory  string     `json:"directory"`
	Registered bool       `json:"registered"`
	Health     string     `json:"health"`
	First      id.Index   `json:"first_index"`
	Last       id.Index   `json:"last_index"`
	Entries    int64      `json:"entries"`
	Batches    int64      `json:"batches"`
	Records    int64      `json:"records"`
	LogStart   id.Offset  `json:"log_start"`
	Next       id.Offset  `json:"next_offset"`
	Durable    id.Index   `json:"durable_index"`
	Segments   int        `json:"segments"`
	Bytes      int64      `json:"bytes"`
	Torn       int64      `json:"torn_bytes"`
	Findings   []finding  `json:"findings"`
}

// finding is one thing that is wrong.
type finding struct {
	Health string   `json:"health"`
	File   string   `json:"file,omitempty"`
	At     int64    `json:"at,omitempty"`
	Index  id.Index `json:"index,omitempty"`
	Text   string   `json:"text"`
}

// verified is an inspection for people and programs.
func (l *logs) verified(i *wal.Inspection) verifiedLog {
	v := verifiedLog{
		Partition: l.title(i.Stored), Replica: i.Stored.Replica, Directory: i.Stored.Path, Registered: i.Stored.Registered,
		Health: i.Health().String(), First: i.First, Last: i.Last, Entries: i.Frames, Batches: i.Batches, Records: i.Records,
		LogStart: i.LogStart, Next: i.Next, Durable: i.Durable, Segments: i.Segments, Bytes: i.Bytes, Torn: i.Torn, Findings: []finding{},
	}
	for _, f := range i.Findings {
		v.Findings = append(v.Findings, finding{f.Health.String(), f.File, f.At, f.Index, f.Text})
	}
	return v
}

// verifyLogs inspects all and tells what it found.
func (s *session) verifyLogs(l *logs) error {
	all := []verifiedLog{}
	worst, damaged := wal.HealthWhole, 0
	for _, stored := range l.Replicas {
		i, err := l.Inspect(stored)
		if err != nil {
			return err
		}
		worst = max(worst, i.Health())
		if i.Health() >= wal.HealthSpare {
			damaged++
		}
		all = append(all, l.verified(i))
	}
	problem := l.Problem()
	if err := s.printVerified(l, all, problem); err != nil {
		return err
	}
	switch {
	case worst == wal.HealthNewer:
		return fmt.Errorf("a newer Troupe has written what this one (%s) cannot judge; nothing was changed", version())
	case problem != nil:
		return &damagedError{fmt.Sprintf("%s: %v; no broker starts on it; put the file back from a copy", l.Data, problem)}
	case damaged > 0:
		return &damagedError{fmt.Sprintf("damage in %d of %s; see `troupe log repair --help`", damaged, plural(int64(len(all)), "log"))}
	}
	return nil
}

// printVerified shows a table, and under it what is not whole.
func (s *session) printVerified(l *logs, all []verifiedLog, problem error) error {
	if s.output == "json" {
		answer := map[string]any{"directory": l.directory, "logs": all}
		if problem != nil {
			answer["problem"] = problem.Error()
		}
		return s.json(answer)
	}
	var rows [][]string
	for _, v := range all {
		rows = append(rows, []string{
			v.Partition, strconv.FormatUint(uint64(v.Replica), 10), v.Health, humanize.Comma(v.Entries), humanize.Comma(v.Records),
			offsets(v.LogStart, v.Next), strconv.Itoa(v.Segments), bytesText(v.Bytes),
		})
	}
	if err := s.table([]string{"PARTITION", "REPLICA", "HEALTH", "ENTRIES", "RECORDS", "OFFSETS", "SEGMENTS", "SIZE"}, rows); err != nil {
		return err
	}
	for _, v := range all {
		if !v.Registered && l.Data != "" {
			fmt.Fprintf(s.out, "\n%s: the register does not list replica %d, so no broker opens it: %s\n", v.Partition, v.Replica, v.Directory)
		}
		for _, f := range v.Findings {
			fmt.Fprintf(s.out, "\n%s: %s: %s%s\n", v.Partition, f.Health, f.where(), f.Text)
		}
	}
	return nil
}

// where is the place of a finding, at the beginning of a line.
func (f finding) where() string {
	switch {
	case f.File == "":
		return ""
	case f.At == 0:
		return f.File + ": "
	}
	return fmt.Sprintf("%s at byte %d: ", f.File, f.At)
}

// offsets prints a range: 3 to 7 are five offsets.
func offsets(first, next id.Offset) string {
	if first >= next {
		return "-"
	}
	return fmt.Sprintf("%d to %d", first, next-1)
}
