package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
	"troupe/wal"
)

func logCommand(s *session) *cobra.Command {
	return noun("log", "Look at logs on disk, and repair them, while no broker runs on them",
		logDumpCommand(s), logVerifyCommand(s), logRepairCommand(s))
}

// logs are those that a command of the noun log is about.
type logs struct {
	*wal.Offline
	directory string         // as it was named
	catalog   *catalog.State // as far as it can be read here; nil where there is none
	doubtful  bool           // its log is damaged: some of it may be missing
}

// oneDirectory demands a directory, and nothing else.
func oneDirectory(c *cobra.Command, arguments []string) error {
	if len(arguments) != 1 {
		return fmt.Errorf("`%s` wants one directory, a broker's --data or one replica's below it, not %d words", c.UseLine(), len(arguments))
	}
	return nil
}

// partitionFlag registers --partition.
func partitionFlag(c *cobra.Command, into *string) {
	c.Flags().StringVar(into, "partition", "", "one partition alone, TOPIC/N: by the topic's name, or its id such as t17")
}

// openOffline locks a directory on which no broker runs, for a command, and lists what it holds.
func openOffline(verb, directory string) (*wal.Offline, error) {
	o, err := wal.OpenOffline(directory, holderOf(verb))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%s: there is no such directory; name a broker's --data, or one replica's directory below it", directory)
	case errors.Is(err, wal.ErrNoData):
		return nil, fmt.Errorf("%w; name a broker's --data, or one replica's directory below it", err)
	}
	return o, err
}

// holderOf says, for people who find a directory locked, which command has it.
func holderOf(verb string) string { return fmt.Sprintf("`troupe %s`, process %d", verb, os.Getpid()) }

// openLogs locks and lists the logs below a directory, or those of one of its partitions.
func openLogs(verb, directory, partition string) (*logs, error) {
	o, err := openOffline("log "+verb, directory)
	if err != nil {
		return nil, err
	}
	l := &logs{Offline: o, directory: directory}
	l.readCatalog()
	if partition != "" {
		err = l.choose(partition)
	}
	if err == nil && len(l.Replicas) == 0 && l.Problem() == nil {
		err = fmt.Errorf("%s holds no log yet", directory)
	}
	if err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return l, nil
}

// choose keeps the replicas of one partition.
func (l *logs) choose(partition string) error {
	slash := strings.LastIndexByte(partition, '/')
	if slash < 0 {
		return usagef("--partition %q: write it as TOPIC/N, such as hello/0", partition)
	}
	number, err := strconv.ParseInt(partition[slash+1:], 10, 32)
	if err != nil || number < 0 {
		return usagef("--partition %q: %q is no partition's number; write it as TOPIC/N, such as hello/0", partition, partition[slash+1:])
	}
	var chosen []wal.Stored
	var known []string
	for _, s := range l.Replicas {
		title := l.title(s)
		if title == partition || s.Partition.String() == partition {
			chosen = append(chosen, s)
		}
		known = append(known, title)
	}
	if len(chosen) == 0 {
		return fmt.Errorf("--partition %s: %s holds no log of it; there are %s", partition, l.directory, some(known, 8))
	}
	l.Replicas = chosen
	return nil
}

// some lists words, and tells how many more there are.
func some(words []string, most int) string {
	if len(words) > most {
		return strings.Join(words[:most], ", ") + fmt.Sprintf(" and %d more", len(words)-most)
	}
	return strings.Join(words, ", ")
}

// title names a partition as people do, or by its topic's id where the catalog does not tell.
func (l *logs) title(s wal.Stored) string {
	name := id.Topic(s.Partition.Topic.String())
	switch {
	case s.Partition.Topic == catalog.TopicID:
		name = catalog.Name
	case l.catalog != nil && l.catalog.Topics[s.Partition.Topic] != nil:
		name = l.catalog.Topics[s.Partition.Topic].Name
	}
	return fmt.Sprintf("%s/%d", name, s.Partition.Number)
}

// readCatalog folds the catalog's own log, as far as it can be read.
func (l *logs) readCatalog() {
	for _, s := range l.All {
		if s.Partition != catalog.Partition() || s.Missing {
			continue
		}
		i, err := l.Inspect(s)
		if err != nil {
			return
		}
		fold, from := catalog.NewFold(), id.Index(0)
		for _, c := range i.Checkpoints {
			if c.Checkpoint != nil && c.Checkpoint.Index > from && c.Checkpoint.Fold != nil && fold.Restore(c.Checkpoint.Fold) == nil {
				from = c.Checkpoint.Index
			}
		}
		_ = l.Frames(s, from+1, func(f wal.Stretch) (bool, error) { // an error ends what can be read
			applyToFold(fold, f)
			return !f.Bad, nil
		})
		l.catalog, l.doubtful = fold.State(), i.Health() >= wal.HealthHole
	}
}

// peers tells why a replica cannot be known to be the only one of its partition; "" when the catalog says so.
func (l *logs) peers(s wal.Stored) string {
	if s.Partition == catalog.Partition() {
		return "" // its own configuration tells
	}
	switch {
	case l.catalog == nil:
		return "no catalog can be read here"
	case l.doubtful:
		return "the catalog here is damaged itself; repair it first"
	}
	a, ok := l.catalog.Assignment(s.Partition)
	if !ok {
		return "the catalog here does not know the partition"
	}
	for _, r := range a.All() {
		if r.Replica != s.Replica {
			return fmt.Sprintf("the catalog lists replica %d on broker %v, too", r.Replica, r.Node)
		}
	}
	return ""
}

// applyToFold has the catalog's fold take what a frame of its log holds.
func applyToFold(fold *catalog.Fold, f wal.Stretch) {
	if f.Bad || f.Frame.Entry.Type != partitions.EntryBatch {
		return
	}
	if h, err := batch.ParseHeader(f.Frame.Entry.Payload); err == nil {
		fold.Apply(h.BaseOffset, f.Frame.Entry.Payload)
	}
}
