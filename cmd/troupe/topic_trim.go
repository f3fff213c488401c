package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

// trimming is what the flags of topic trim say.
type trimming struct {
	before    string
	partition int32 // -1: all
	rehearse  bool
}

func topicTrimCommand(s *session) *cobra.Command {
	var t trimming
	command := &cobra.Command{
		Use:   "trim TOPIC",
		Short: "Delete a topic's oldest records",
		Long: "Deletes the records below an offset, or older than a time, for good: the log start moves up.\n" +
			"The disk is freed in whole segment files, shortly after. This works on a full disk; it is what frees one.",
		Example: `  troupe topic trim events --before -7d --dry-run     # tells what would go
  troupe topic trim events --before 2015-05-18
  troupe topic trim events --before 1000 --partition 3`,
		Args:              oneTopic,
		ValidArgsFunction: s.topicNames,
		RunE: func(c *cobra.Command, arguments []string) error {
			if t.before == "" {
				return usagef("--before is missing; it can be an offset such as 42, a time such as 2015-05-17, a time ago such as -7d, or end")
			}
			at, err := parsePlace("--before", t.before, time.Now())
			if err != nil {
				return err
			}
			return s.with(c.Context(), func(broker *client.Client) error {
				return s.trimTopic(c.Context(), broker, arguments[0], at, t)
			})
		},
	}
	command.Flags().StringVar(&t.before, "before", "", "the new beginning: an offset, a time, a time ago such as -7d, or end for everything so far")
	command.Flags().Int32Var(&t.partition, "partition", -1, "one partition alone; default: every one")
	command.Flags().BoolVar(&t.rehearse, "dry-run", false, "tell what would be deleted, delete nothing")
	return command
}

// trimmedPartition is what becomes of one partition.
type trimmedPartition struct {
	Partition int32     `json:"partition"`
	Before    id.Offset `json:"log_start_before"`
	Start     id.Offset `json:"log_start"`
	End       id.Offset `json:"high_watermark"`
	Deleted   id.Offset `json:"deleted"`
}

// trimTopic finds where each partition is to begin, and has it begin there.
func (s *session) trimTopic(ctx context.Context, broker *client.Client, topic string, at position, t trimming) error {
	var chosen []int32
	if t.partition >= 0 {
		chosen = []int32{t.partition}
	}
	found, err := broker.ListOffsets(ctx, topic, at.Position, chosen...)
	if err != nil {
		return err
	}
	report, starts := []trimmedPartition{}, map[int32]id.Offset{}
	for _, p := range found {
		start := p.Offset
		if at.offset != noOffset {
			start = at.offset
		}
		if start > p.HighWatermark { // before anything is deleted
			refusal := protocol.NewError(protocol.CodeOffsetOutOfRange, "topic %q partition %d ends at offset %d, so nothing lies below %d; name another --partition, or a time",
				topic, p.Partition, p.HighWatermark, start)
			refusal.Details = protocol.Details{Asked: start, LogStart: p.LogStart, LogEnd: p.HighWatermark}
			return refusal
		}
		start = max(start, p.LogStart)
		starts[p.Partition] = start
		report = append(report, trimmedPartition{p.Partition, p.LogStart, start, p.HighWatermark, start - p.LogStart})
	}
	if !t.rehearse {
		deleted, err := broker.DeleteRecords(ctx, topic, starts)
		if err != nil {
			return err
		}
		for i, d := range deleted { // both are ordered by number
			r := &report[i]
			r.Start, r.End, r.Deleted = d.LogStart, d.HighWatermark, d.LogStart-r.Before
		}
	}
	return s.trimmedTopic(topic, report, t.rehearse)
}

// trimmedTopic tells what was deleted, or would be.
func (s *session) trimmedTopic(topic string, report []trimmedPartition, rehearsed bool) error {
	if s.output == "json" {
		return s.json(map[string]any{"topic": topic, "trimmed": !rehearsed, "partitions": report})
	}
	var records id.Offset
	var rows [][]string
	for _, p := range report {
		records += p.Deleted
		rows = append(rows, []string{strconv.Itoa(int(p.Partition)), strconv.FormatInt(int64(p.Before), 10),
			strconv.FormatInt(int64(p.Start), 10), humanize.Comma(int64(p.Deleted))})
	}
	done := "deleted"
	if rehearsed {
		done = "would delete"
	}
	fmt.Fprintf(s.out, "%s %s records of topic %s\n\n", done, humanize.Comma(int64(records)), topic)
	return s.table([]string{"PARTITION", "LOG START WAS", "LOG START", "RECORDS"}, rows)
}
