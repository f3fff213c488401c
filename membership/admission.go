package membership

import "fmt"

// admission decides whom gossip takes in. It sees a moment: who this broker is, and whom it knows.
type admission struct {
	self  Member
	known *View // everyone whom serf has, whatever their cluster
}

// cluster refuses a member of another cluster, or of another epoch of this one. Who has no cluster yet passes, and lets everyone
// pass: it adopts the first that it meets. What is heard about this very node is no matter of epochs: it may be its own past.
func (a admission) cluster(heard Member) error {
	if heard.Cluster != 0 && a.self.Cluster != 0 && heard.Cluster != a.self.Cluster {
		return fmt.Errorf("node %v at %s is of cluster %v, this broker of %v: %w",
			heard.Node, heard.Gossip, heard.Cluster, a.self.Cluster, ErrForeign)
	}
	if heard.Cluster == 0 || a.self.Cluster == 0 || heard.Node == a.self.Node || heard.Epoch == a.self.Epoch {
		return nil
	}
	if a.superseded(heard) {
		return fmt.Errorf("node %v at %s is of epoch %v, this broker of epoch %v: %w, whose catalog was recovered without what this broker has of "+
			"it; `troupe cluster adopt` has its data directory follow, with --epoch %v; or, if that broker was recovered by mistake, stop it for good",
			heard.Node, heard.Gossip, heard.Epoch, a.self.Epoch, ErrEpoch, heard.Epoch)
	}
	return fmt.Errorf("node %v at %s is of epoch %v, this broker of epoch %v: %w; stop that one, and have its data directory follow with "+
		"`troupe cluster adopt` and --epoch %v", heard.Node, heard.Gossip, heard.Epoch, a.self.Epoch, ErrEpoch, a.self.Epoch)
}

// superseded tells whether a member of another epoch shows that this broker must not go on. It must not where the catalog goes on
// without it, for whatever it still decides is lost; nor where two were recovered that knew nothing of each other. What only
// claims to be a node that lives shows nothing: a copy must not be able to harm it.
func (a admission) superseded(heard Member) bool {
	return heard.Epoch.Number() >= a.self.Epoch.Number() && a.start(heard) == nil
}

// start refuses a start of another node that cannot be the living one, see View.Admits. Memberlist itself keeps of two
// addresses the one that is alive; here it is known why.
func (a admission) start(heard Member) error {
	known, found := a.known.Member(heard.Node)
	if !found {
		return nil
	}
	if heard.Incarnation > known.Incarnation && heard.Gossip == known.Gossip {
		return nil // it was restarted faster than its death was noticed
	}
	if err := a.known.Admits(heard.Node, heard.Incarnation, heard.Nonce); err != nil {
		return fmt.Errorf("%s claims to be the broker of %s: %w", heard.Gossip, known.Gossip, err)
	}
	return nil
}

// mirror judges what is heard about this very node. Others may still gossip about its earlier starts, and must be heard,
// for it to be refuted.
//
// A later start at this broker's own address is its own past: it was set back to a backup. Of two living starts at two
// addresses the later is the copy, and stops if the other has been heard of long enough to be no rumour (lasting). That a
// start is later says nothing when both have one incarnation: then the copy is the one that began a moment ago (began); if
// both did, both stop. The earlier one goes on: a copy must not be able to harm it.
func (a admission) mirror(heard Member, lasting, began bool) (p Problem, found bool) {
	here := heard.Gossip == a.self.Gossip
	later, same := heard.Incarnation > a.self.Incarnation, heard.Incarnation == a.self.Incarnation
	switch {
	case same && heard.Nonce == a.self.Nonce, here && !later && !same:
		return Problem{}, false
	case here:
		return Problem{Member: heard, Stop: true, Err: fmt.Errorf("node %v was started as incarnation %d here before, now as %d: %w; "+
			"give it an empty data directory, or the newest it had",
			heard.Node, heard.Incarnation, a.self.Incarnation, ErrTwin)}, true
	case same && began, !same && !later && lasting:
		return Problem{Member: heard, Stop: true, Err: fmt.Errorf("node %v lives at %s as incarnation %d, here as %d: %w; "+
			"stop the other for good, or give this one an empty data directory",
			heard.Node, heard.Gossip, heard.Incarnation, a.self.Incarnation, ErrTwin)}, true
	case !same && !later:
		return Problem{Member: heard, Err: fmt.Errorf("node %v, here incarnation %d, still counts as alive at %s as incarnation %d: %w",
			heard.Node, a.self.Incarnation, heard.Gossip, heard.Incarnation, ErrContested)}, true
	}
	return Problem{Member: heard, Err: fmt.Errorf("node %v, here incarnation %d, was also started at %s as incarnation %d: %w; whichever is "+
		"the copy is not let in by others: stop it, and give it an empty data directory",
		heard.Node, a.self.Incarnation, heard.Gossip, heard.Incarnation, ErrTwin)}, true
}
