package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
	"troupe/wal"
)

// repairing is what the flags of log repair say.
type repairing struct {
	partition  string
	acceptLoss bool
	rehearse   bool
}

func logRepairCommand(s *session) *cobra.Command {
	var r repairing
	command := &cobra.Command{
		Use:   "repair DIR",
		Short: "Repair the logs in a directory, as far as nothing is lost; or accept a loss",
		Long: `Does what the start of a broker does: cuts off an end that was never acknowledged. Damage is refused: a broker serves what
verifies of a damaged log, marked, and takes no new records into it.

--accept-loss, for one log, gives up what does not verify and makes the log usable again. Its place is recorded as a gap:
offsets go on behind it, those lost never come again, and readers are told. Where nothing tells how many they were, the gap is
larger than they can have been. What was found is moved to aside/ in the data directory and deleted by nobody: try a copy, or
the disk's other side, before.`,
		Example: `  troupe log repair ./troupe-data                                         # cuts torn ends, touches no damage
  troupe log repair ./troupe-data --partition hello/0 --accept-loss --dry-run   # tells what would be given up
  troupe log repair ./troupe-data --partition hello/0 --accept-loss`,
		Args: oneDirectory,
		RunE: func(_ *cobra.Command, arguments []string) error {
			l, err := openLogs("repair", arguments[0], r.partition)
			if err != nil {
				return err
			}
			if r.acceptLoss && len(l.Replicas) != 1 {
				err = usagef("--accept-loss is for one log, and %s has %d: name it with --partition, or by its own directory", arguments[0], len(l.Replicas))
				return errors.Join(err, l.Close())
			}
			return errors.Join(s.repairLogs(l, r), l.Close())
		},
	}
	partitionFlag(command, &r.partition)
	command.Flags().BoolVar(&r.acceptLoss, "accept-loss", false, "give up what does not verify; for one log")
	command.Flags().BoolVar(&r.rehearse, "dry-run", false, "tell what would be done, change nothing")
	return command
}

// repairedLog is what became of one log.
type repairedLog struct {
	Partition string     `json:"partition"`
	Replica   id.Replica `json:"replica"`
	Health    string     `json:"health"`
	Repaired  bool       `json:"repaired"`
	Torn      int64      `json:"torn_bytes"`
	Lost      []lost     `json:"lost"`
	Aside     string     `json:"aside,omitempty"`
	Refusal   string     `json:"refusal,omitempty"`
	did       string     // a sentence
}

// lost is a range of entries that is given up, or would be.
type lost struct {
	First id.Index  `json:"first_index"`
	Last  id.Index  `json:"last_index"`
	From  id.Offset `json:"first_offset"`
	Next  id.Offset `json:"next_offset"`
	// Exact: these offsets and no others were used. Otherwise at most these.
	Exact bool `json:"exact"`
}

// repairLogs repairs all it may and tells what it did.
func (s *session) repairLogs(l *logs, r repairing) error {
	report := []repairedLog{}
	var refused, failed error
	count := 0
	for _, stored := range l.Replicas {
		i, err := l.Inspect(stored)
		if err != nil {
			return err
		}
		done, err := l.repair(i, r)
		report = append(report, done)
		switch {
		case err == nil:
		case errors.Is(err, partitions.ErrDamaged), errors.Is(err, wal.ErrBeyondRepair), errors.Is(err, partitions.ErrNewer):
			refused, count = errors.Join(refused, err), count+1
		default:
			failed = err
		}
		if failed != nil {
			break
		}
	}
	if err := s.printRepaired(report, r.rehearse, count > 1); err != nil {
		return err
	}
	switch {
	case failed != nil:
		return failed
	case count > 1:
		return fmt.Errorf("%d of %s were not repaired, for the reasons above", count, plural(int64(len(report)), "log"))
	}
	return refused
}

// repair repairs one log, or tells why not. The report is there in any case.
func (l *logs) repair(i *wal.Inspection, r repairing) (repairedLog, error) {
	health := i.Health()
	report := repairedLog{Partition: l.title(i.Stored), Replica: i.Stored.Replica, Health: health.String(), Lost: []lost{}}
	refuse := func(err error) (repairedLog, error) {
		report.Refusal = err.Error()
		return report, err
	}
	var accepted *wal.Loss
	if health >= wal.HealthHole && !i.Finishable {
		loss, err := i.Loss()
		if err != nil {
			return refuse(err)
		}
		report.took(loss.Holes)
		switch {
		case i.Stored.Partition == catalog.Partition() && !loss.Folded:
			return refuse(fmt.Errorf("%s: %w: with commands of the catalog gone, ids of topics and replicas could be given twice; put the directory "+
				"back from a copy", report.Partition, wal.ErrBeyondRepair))
		case l.peers(i.Stored) != "":
			return refuse(fmt.Errorf("%s: %w: it may have peers that hold what is lost here: %s", report.Partition, wal.ErrBeyondRepair, l.peers(i.Stored)))
		case !r.acceptLoss:
			return refuse(fmt.Errorf("%s: %w (%s); nothing was changed; `--partition %s --accept-loss` gives up %s", report.Partition,
				partitions.ErrDamaged, health, report.Partition, report.loss()))
		}
		accepted = loss
	}
	if r.rehearse {
		report.did = l.rehearsal(i, &report)
		return report, nil
	}
	done, err := l.Repair(i, accepted)
	if err != nil {
		return refuse(err)
	}
	report.Repaired = done.Finished || done.Torn > 0 || len(done.Holes) > 0
	report.Torn, report.Aside = done.Torn, done.Aside
	report.did = report.sentence(done, health)
	return report, nil
}

func (p *repairedLog) took(holes []wal.Hole) {
	for _, h := range holes {
		p.Lost = append(p.Lost, lost{h.From, h.To, h.Offsets.First, h.Offsets.Next, h.Exact})
	}
}

// loss lists what is given up, in words.
func (p *repairedLog) loss() string {
	var parts []string
	for _, h := range p.Lost {
		entries := fmt.Sprintf("entry %d", h.First)
		if h.Last > h.First {
			entries = fmt.Sprintf("entries %d to %d", h.First, h.Last)
		}
		switch {
		case h.From == h.Next:
			entries += " (no records)"
		case h.Exact:
			entries += fmt.Sprintf(" (offsets %s)", offsets(h.From, h.Next))
		default:
			entries += fmt.Sprintf(" (offsets from %d on; new records begin at %d)", h.From, h.Next)
		}
		parts = append(parts, entries)
	}
	return some(parts, 8)
}

// rehearsal is what a dry run says.
func (l *logs) rehearsal(i *wal.Inspection, p *repairedLog) string {
	switch {
	case i.Finishable:
		return "would finish a repair that was interrupted"
	case len(p.Lost) > 0:
		return "would give up " + p.loss()
	case i.Torn > 0:
		return fmt.Sprintf("would cut off %s that were never acknowledged", plural(i.Torn, "byte"))
	}
	return "whole; there is nothing to do"
}

// sentence is what was done.
func (p *repairedLog) sentence(done *wal.Repaired, health wal.Health) string {
	switch {
	case done.Finished:
		return "finished a repair that was interrupted"
	case len(done.Holes) > 0:
		return fmt.Sprintf("gave up %s; what was there is kept in %s", p.loss(), done.Aside)
	case done.Torn > 0:
		return fmt.Sprintf("cut off %s that were never acknowledged; kept in %s", plural(done.Torn, "byte"), done.Aside)
	case health == wal.HealthSpare:
		return "nothing is missing; the broker replaces the checkpoint with its next one"
	}
	return "whole; there was nothing to do"
}

// printRepaired tells what was done, a line for each log. One refusal alone is told by the error.
func (s *session) printRepaired(report []repairedLog, rehearsed, refusals bool) error {
	if s.output == "json" {
		return s.json(map[string]any{"dry_run": rehearsed, "logs": report})
	}
	for _, p := range report {
		if p.Refusal == "" {
			fmt.Fprintf(s.out, "%s: %s\n", p.Partition, p.did)
		} else if refusals {
			fmt.Fprintf(s.out, "%s\n", p.Refusal)
		}
	}
	return nil
}
