package main

import (
	"fmt"
	"slices"
	"strings"

	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

// leastDigits is how many digits of a broker's id people are shown at least.
const leastDigits = 4

// shortNodes names brokers for people: with as many of their first digits as tell these apart.
func shortNodes(nodes []id.Node) map[id.Node]string {
	nodes = slices.Compact(slices.Sorted(slices.Values(nodes)))
	digits := leastDigits
	for i := 1; i < len(nodes); i++ { // in order, the nearest names are neighbours
		a, b := nodes[i-1].String(), nodes[i].String()
		for digits < len(a) && a[:digits] == b[:digits] {
			digits++
		}
	}
	short := make(map[id.Node]string, len(nodes))
	for _, n := range nodes {
		short[n] = n.String()[:digits]
	}
	return short
}

// nodesIn lists the brokers that have to do with a topic.
func nodesIn(topic *protocol.DescribeTopicResponse) []id.Node {
	var nodes []id.Node
	for i := range topic.Partitions {
		nodes = append(nodes, topic.Partitions[i].Replicas...)
		for _, m := range topic.Partitions[i].Members {
			nodes = append(nodes, m.Node)
		}
	}
	return nodes
}

// replicasText lists a partition's replicas, the preferred leader first, with what is not as it should be.
func replicasText(p *protocol.DescribedPartition, short map[id.Node]string) string {
	if len(p.Members) == 0 { // a broker of an older version
		var words []string
		for _, n := range p.Replicas {
			words = append(words, short[n])
		}
		return strings.Join(words, " ")
	}
	var words []string
	for _, m := range p.Members {
		var notes []string
		if m.Role != "leader" && m.Role != "voter" && m.Role != "" {
			notes = append(notes, m.Role)
		}
		if m.State != "" && m.State != "replicate" {
			notes = append(notes, m.State)
		}
		word := short[m.Node]
		if len(notes) > 0 {
			word += " (" + strings.Join(notes, ", ") + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// partitionState says in words how a partition is.
func partitionState(p *protocol.DescribedPartition) string {
	state := p.Role
	switch away := awayMembers(p); {
	case p.Problem != "":
		return state + ": " + strings.TrimPrefix(p.Problem, p.Role+", ")
	case p.Leader == 0:
		return state + ", no leader"
	case len(p.Members) > 0 && !p.Settled:
		return state + ", moving"
	case away > 0:
		return fmt.Sprintf("%s, %d of %d away", state, away, len(p.Members))
	}
	return state
}

func awayMembers(p *protocol.DescribedPartition) (away int) {
	for _, m := range p.Members {
		if m.State == "away" {
			away++
		}
	}
	return away
}

// atRest tells that a partition is as it should be.
func atRest(p *protocol.DescribedPartition) bool {
	return p.Problem == "" && p.Leader != 0 && (p.Settled || len(p.Members) == 0) && awayMembers(p) == 0
}
