package actors

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"troupe/partitions/id"
)

// mostStrays bounds the replicas that are named.
const mostStrays = 8

// lookForStrays shows operators which replicas this broker holds that a recovered catalog does not know: what made them is lost with
// the majority that decided it. Nobody runs them, and nobody deletes them. While no catalog was ever recovered there are none.
func (c *curator) lookForStrays() {
	if c.epoch == 0 {
		return
	}
	held := c.seams.Disk.Held()
	for _, t := range c.state.Topics { // any order: what is known is struck out
		for _, a := range t.Partitions {
			for _, p := range a.All() {
				delete(held, p.Replica)
			}
		}
	}
	for _, d := range c.state.Doomed {
		delete(held, d.Replica)
	}
	maps.DeleteFunc(held, func(r id.Replica, _ id.Partition) bool { return r >= c.state.NextReplica || c.erasing[r] })
	if len(held) == 0 {
		c.board.strays.Store(nil)
		return
	}
	var names []string
	for _, r := range slices.Sorted(maps.Keys(held)) {
		if len(names) == mostStrays {
			names = append(names, fmt.Sprintf("%d more", len(held)-mostStrays))
			break
		}
		names = append(names, fmt.Sprintf("replica %d of %v", uint64(r), held[r]))
	}
	sentence := fmt.Sprintf("here are %s, which the recovered catalog does not know: what the lost one had created or moved; it is kept and not "+
		"served, `troupe log dump` reads it", strings.Join(names, ", "))
	if was := c.board.strays.Swap(&sentence); was == nil || *was != sentence {
		c.log.Warn("replicas that the recovered catalog does not know", "replicas", len(held), "problem", sentence)
	}
}
