package partitions

import (
	"fmt"
	"slices"

	"troupe/partitions/id"
)

// Survivor chooses, among the replicas of a partition whose brokers are there and as these describe them, the one that the
// partition is to go on with. From is the broker whose replica the operator has named; 0: whichever has most.
//
// It returns ErrNotReady where asking again may help, and ErrNotRecoverable where
//   - one of them leads, or those that are there are a majority of a configuration that one of them knows: they can elect a
//     leader, and lose nothing. Raft acts on the configuration that is applied, so that is what counts. All that are not known to
//     have lost their log count, damaged ones too: they may be mended.
//   - one of them does not say how it is;
//   - none is a voter with a whole log, or the one named is not;
//   - another has more than the survivor would: by raft's order of logs, the one with the highest (last term, last index) holds
//     whatever any of them holds that was acknowledged.
func Survivor(there []Status, from id.Node) (Status, error) {
	var able []Status
	for _, s := range there {
		switch {
		case s.Forgotten:
			continue
		case s.Role == RoleOpening:
			return Status{}, fmt.Errorf("replica %d on broker %v opens: %w", s.Replica, s.Node, ErrNotReady)
		case s.Role == RoleStopped:
			return Status{}, fmt.Errorf("broker %v is there and does not say how its replica %d is (%s); repair that, or stop the broker: %w",
				s.Node, s.Replica, s.Problem, ErrNotRecoverable)
		case s.Role == RoleLeader && s.Ready:
			return Status{}, fmt.Errorf("broker %v leads it: %w", s.Node, ErrNotRecoverable)
		}
		able = append(able, s)
	}
	if quorum := elects(able); quorum {
		return Status{}, fmt.Errorf("%d of its replicas are there (%s), a majority that can elect a leader: %w", len(able), homes(able), ErrNotRecoverable)
	}
	var chosen *Status
	for i := range able {
		if s := &able[i]; s.survives() && (from == 0 && (chosen == nil || s.exceeds(chosen)) || s.Node == from) {
			chosen = s
		}
	}
	if chosen == nil {
		return Status{}, nobody(there, from)
	}
	for i := range able {
		if s := &able[i]; s.exceeds(chosen) {
			next := "stop that broker if what only it has is to be given up"
			if s.survives() {
				next = "recover from that one"
			}
			return Status{}, fmt.Errorf("replica %d on broker %v has entries up to %d of term %d, and replica %d on broker %v only up to %d of term %d; %s: %w",
				s.Replica, s.Node, s.Last, s.LastTerm, chosen.Replica, chosen.Node, chosen.Last, chosen.LastTerm, next, ErrNotRecoverable)
		}
	}
	return *chosen, nil
}

// survives tells whether a replica's log can stand for the partition.
func (s *Status) survives() bool {
	return (s.Role == RoleFollower || s.Role == RoleCandidate || s.Role == RoleLeader) && slices.Contains(s.Voters, Placed{s.Replica, s.Node})
}

// exceeds tells whether a log holds more than another, as raft compares them.
func (s *Status) exceeds(other *Status) bool {
	return s.LastTerm > other.LastTerm || s.LastTerm == other.LastTerm && s.Last > other.Last
}

// elects tells whether replicas are a majority of a configuration that one of them has applied; of both, while it changes.
func elects(able []Status) bool {
	majority := func(voters []Placed) bool {
		n := 0
		for _, v := range voters {
			if slices.ContainsFunc(able, func(s Status) bool { return s.Replica == v.Replica }) {
				n++
			}
		}
		return 2*n > len(voters)
	}
	return slices.ContainsFunc(able, func(s Status) bool {
		if s.Joint {
			return majority(s.Incoming) && majority(s.Outgoing)
		}
		return majority(s.Voters)
	})
}

func nobody(there []Status, from id.Node) error {
	if from == 0 {
		return fmt.Errorf("no voter with a whole log is there to go on with: %w", ErrNotRecoverable)
	}
	for _, s := range there {
		switch {
		case s.Node != from:
		case s.Forgotten || s.Role == RoleQuarantined:
			return fmt.Errorf("replica %d on broker %v is damaged (%s): %w", s.Replica, from, s.Problem, ErrNotRecoverable)
		default:
			return fmt.Errorf("replica %d on broker %v is no voter yet, and may lack what the voters had: %w", s.Replica, from, ErrNotRecoverable)
		}
	}
	return fmt.Errorf("broker %v is not there, or has no replica of it; those that are there: %s: %w", from, homes(there), ErrNotRecoverable)
}

// homes lists brokers for a sentence.
func homes(all []Status) string {
	if len(all) == 0 {
		return "none"
	}
	text := ""
	for i, s := range all {
		if i > 0 {
			text += ", "
		}
		text += s.Node.String()
	}
	return text
}
