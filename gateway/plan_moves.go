package gateway

import (
	"troupe/gateway/protocol"
	"troupe/partitions"
	"troupe/partitions/catalog"
)

// planMoves tells what is to move in the cluster.
func (s *Session) planMoves(c call) {
	s.broker.Plan(func(p partitions.MovePlan, err error) {
		if err != nil {
			c.refuse(s.refusal("the plan of moves", err))
			return
		}
		state := s.broker.Catalog()
		c.reply(&protocol.PlanMovesResponse{
			Moving: plannedMoves(state, p.Moving), Next: plannedMoves(state, p.Next), Held: plannedMoves(state, p.Held), Away: p.Away,
		})
	})
}

// plannedMoves names the topics. One that was deleted meanwhile does not move any more.
func plannedMoves(state *catalog.State, moves []partitions.Move) []protocol.PlannedMove {
	var all []protocol.PlannedMove
	for _, m := range moves {
		if t := state.Topics[m.Partition.Topic]; t != nil {
			all = append(all, protocol.PlannedMove{
				Topic: string(t.Name), TopicID: t.ID, Partition: m.Partition.Number, Assigned: m.Assigned, From: m.From, To: m.To, Why: m.Why,
			})
		}
	}
	return all
}

// planBytes bounds what a plan takes: each partition stands in it once at most.
func planBytes(state *catalog.State) (bytes int) {
	for _, t := range state.Topics { // any order: a sum
		bytes += len(t.Partitions) * (routeBytes + 2*protocol.MaxReplicas*replicaBytes + len(t.Name) + planWhyBytes)
	}
	return bytes
}

// planWhyBytes bounds the reason of a move.
const planWhyBytes = 128
