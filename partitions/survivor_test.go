package partitions_test

import (
	"errors"
	"strings"
	"testing"

	"troupe/partitions"
	"troupe/partitions/id"
)

// witness is a follower on node 100 + r of these voters, with entries up to last of a term.
func witness(r id.Replica, term id.Term, last id.Index, voters ...id.Replica) partitions.Status {
	return partitions.Status{Replica: r, Node: nodeOf(r), Role: partitions.RoleFollower, LastTerm: term, Last: last, Voters: placed(voters...)}
}

func as(s partitions.Status, change func(*partitions.Status)) partitions.Status {
	change(&s)
	return s
}

func TestSurvivor(t *testing.T) {
	three, five := []id.Replica{1, 2, 3}, []id.Replica{1, 2, 3, 4, 5}
	empty := partitions.Status{Replica: 9, Node: nodeOf(9), Role: partitions.RoleLearner}
	quarantined := func(s *partitions.Status) { s.Role = partitions.RoleQuarantined }
	forgotten := func(s *partitions.Status) { s.Role, s.Forgotten = partitions.RoleQuarantined, true }
	learner := func(s *partitions.Status) { s.Role = partitions.RoleLearner }
	joint := func(incoming, outgoing []id.Replica) func(*partitions.Status) {
		return func(s *partitions.Status) {
			s.Joint, s.Incoming, s.Outgoing = true, placed(incoming...), placed(outgoing...)
		}
	}
	for _, w := range []struct {
		name  string
		from  id.Node
		there []partitions.Status
		want  id.Replica // 0: refused
		says  string
	}{
		{"one of three", 0, []partitions.Status{witness(1, 2, 7, three...)}, 1, ""},
		{"one of three, named", nodeOf(1), []partitions.Status{witness(1, 2, 7, three...)}, 1, ""},
		{"nobody", 0, nil, 0, "no voter"},
		{"another is named", nodeOf(2), []partitions.Status{witness(1, 2, 7, three...)}, 0, "is not there"},
		{"two of three", 0, []partitions.Status{witness(1, 2, 7, three...), witness(3, 2, 7, three...)}, 0, "a majority"},
		{"the other is being mended", 0, []partitions.Status{witness(1, 2, 7, three...), as(witness(3, 1, 1), quarantined)}, 0, "a majority"},
		{"the other has forgotten", 0, []partitions.Status{witness(1, 2, 7, three...), as(witness(3, 3, 9), forgotten)}, 1, ""},
		{"the one named has forgotten", nodeOf(3), []partitions.Status{witness(1, 2, 7, three...), as(witness(3, 3, 9), forgotten)}, 0, "damaged"},
		{"one made anew is empty", 0, []partitions.Status{witness(1, 2, 7, three...), empty}, 1, ""},
		{"the empty one is named", nodeOf(9), []partitions.Status{witness(1, 2, 7, three...), empty}, 0, "no voter yet"},
		{"a learner has more", 0, []partitions.Status{witness(1, 2, 7, three...), as(witness(9, 2, 8, three...), learner)}, 0, "stop that broker"},
		{"one opens", 0, []partitions.Status{witness(1, 2, 7, three...), {Replica: 2, Role: partitions.RoleOpening}}, 0, "opens"},
		{"one does not answer", 0, []partitions.Status{witness(1, 2, 7, three...), {Replica: 2, Role: partitions.RoleStopped}}, 0, "does not say"},
		{"it leads", 0, []partitions.Status{as(witness(1, 2, 7, three...), func(s *partitions.Status) { s.Role, s.Ready = partitions.RoleLeader, true })}, 0, "leads it"},
		{"the longer of two of five", 0, []partitions.Status{witness(1, 2, 7, five...), witness(2, 2, 8, five...)}, 2, ""},
		{"the later of two of five", 0, []partitions.Status{witness(1, 3, 7, five...), witness(2, 2, 8, five...)}, 1, ""},
		{"the shorter is named", nodeOf(1), []partitions.Status{witness(1, 2, 7, five...), witness(2, 2, 8, five...)}, 0, "recover from that one"},
		{"only one knows of the change", 0, []partitions.Status{witness(1, 2, 7, three...), witness(4, 2, 8, 1, 2, 4)}, 0, "a majority"},
		{"joint, one quorum is there", 0, []partitions.Status{
			as(witness(1, 2, 7, 1, 2, 3, 4), joint([]id.Replica{1, 2, 4}, three)), as(witness(4, 2, 7, 1, 2, 3, 4), joint([]id.Replica{1, 2, 4}, three)),
		}, 1, ""},
		{"joint, both are there", 0, []partitions.Status{
			as(witness(1, 2, 7, 1, 2, 3, 4), joint([]id.Replica{1, 2, 4}, three)), witness(2, 2, 7, three...),
		}, 0, "a majority"},
	} {
		got, err := partitions.Survivor(w.there, w.from)
		refused := errors.Is(err, partitions.ErrNotRecoverable) || errors.Is(err, partitions.ErrNotReady)
		if got.Replica != w.want || refused != (w.want == 0) || err != nil && !strings.Contains(err.Error(), w.says) {
			t.Errorf("%s: replica %d, %v", w.name, got.Replica, err)
		}
	}
}
