package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

// rebalanceFlags are what the command line of cluster rebalance says.
type rebalanceFlags struct {
	dryRun, wait bool
	moves        int
}

func clusterRebalanceCommand(s *session) *cobra.Command {
	var flags rebalanceFlags
	command := &cobra.Command{
		Use:   "rebalance",
		Short: "Show what moves for balance, have it done now, and watch it",
		Long: `Replicas and leaders spread by themselves, a few partitions at a time; but while a broker is away nothing moves for the sake of
balance, since it may come back. This has those moves done as well, of partitions whose brokers are all there, and waits until nothing moves
any more and nothing is left to move.

Interrupted, it takes back the moves that it has ordered and that have not arrived. What the cluster does by itself goes on.

--dry-run shows the whole plan, and does nothing: what is on the move, what comes next, and what is held back and for whom.`,
		Example: `  troupe cluster rebalance --dry-run
  troupe cluster rebalance --moves 2`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if flags.moves < 1 {
				return usagef("--moves %d moves nothing; --dry-run shows what there is", flags.moves)
			}
			return s.with(c.Context(), func(broker *client.Client) error {
				if flags.dryRun {
					plan, err := broker.PlanMoves(c.Context())
					if err != nil {
						return err
					}
					return s.showPlan(plan)
				}
				r := &rebalancing{session: s, broker: broker, flags: flags, ordered: map[partitionName]order{}}
				return r.run(c.Context())
			})
		},
	}
	f := command.Flags()
	f.BoolVar(&flags.dryRun, "dry-run", false, "show the plan, and do nothing")
	f.BoolVar(&flags.wait, "wait", true, "return when nothing is left to move; --wait=false only orders as many as may be on the move")
	f.IntVar(&flags.moves, "moves", 4, "order no more while so many partitions are on the move")
	return command
}

// plannedMove is one move as --output json shows it.
type plannedMove struct {
	Topic     string   `json:"topic"`
	Partition int32    `json:"partition"`
	State     string   `json:"state"` // moving, next, held
	From      []string `json:"from"`
	To        []string `json:"to"`
	Why       string   `json:"why"`
}

// showPlan prints what is to move.
func (s *session) showPlan(plan *protocol.PlanMovesResponse) error {
	all := []plannedMove{}
	var nodes []id.Node
	for _, list := range []struct {
		state string
		moves []protocol.PlannedMove
	}{{"moving", plan.Moving}, {"next", plan.Next}, {"held", plan.Held}} {
		for _, m := range list.moves {
			all = append(all, plannedMove{m.Topic, m.Partition, list.state, nodeTexts(m.From), nodeTexts(m.To), m.Why})
			nodes = slices.Concat(nodes, m.From, m.To)
		}
	}
	if s.output == "json" {
		return s.json(map[string]any{"moves": all, "away": nodeTexts(plan.Away)})
	}
	if len(plan.Away) > 0 {
		fmt.Fprintf(s.problems, "away, and perhaps back soon: broker %s\n", strings.Join(nodeTexts(plan.Away), ", broker "))
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(s.problems, "Nothing moves, and nothing is to move.")
		return err
	}
	short := map[string]string{}
	for n, word := range shortNodes(nodes) {
		short[n.String()] = word
	}
	var rows [][]string
	for _, m := range all {
		rows = append(rows, []string{m.Topic, fmt.Sprint(m.Partition), m.State, shortened(m.From, short), shortened(m.To, short), m.Why})
	}
	return s.table([]string{"TOPIC", "PARTITION", "STATE", "FROM", "TO", "WHY"}, rows)
}

func nodeTexts(nodes []id.Node) []string {
	all := []string{}
	for _, n := range nodes {
		all = append(all, n.String())
	}
	return all
}

func shortened(nodes []string, short map[string]string) string {
	words := []string{}
	for _, n := range nodes {
		words = append(words, short[n])
	}
	return cmp.Or(strings.Join(words, " "), "-")
}

// rebalancing orders what is held back, and watches everything that moves.
type rebalancing struct {
	*session
	broker  *client.Client
	flags   rebalanceFlags
	ordered map[partitionName]order // what it has ordered, and has not arrived as far as is known
	moved   int
}

// order is one move that was ordered.
type order struct {
	from     []id.Node
	assigned id.Offset
}

// run goes on until nothing moves and nothing is to move.
func (r *rebalancing) run(ctx context.Context) error {
	ticker := time.NewTicker(arrivalInterval)
	defer ticker.Stop()
	for told := ""; ; {
		plan, err := r.broker.PlanMoves(ctx)
		if err == nil {
			r.arrived(plan)
			err = r.push(ctx, plan)
		}
		if err != nil {
			return r.takeBack(ctx, err)
		}
		left := len(plan.Next) + len(plan.Held)
		if len(plan.Moving)+left == 0 && len(r.ordered) == 0 || !r.flags.wait {
			return r.summary()
		}
		if line := fmt.Sprintf("%s on the move, %d to go", plural(int64(max(len(plan.Moving), len(r.ordered))), "partition"), left); line != told {
			fmt.Fprintln(r.problems, line)
			told = line
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return r.takeBack(ctx, ctx.Err())
		}
	}
}

// arrived forgets the moves that are not under way any more.
func (r *rebalancing) arrived(plan *protocol.PlanMovesResponse) {
	maps.DeleteFunc(r.ordered, func(name partitionName, o order) bool {
		return !slices.ContainsFunc(plan.Moving, func(m protocol.PlannedMove) bool {
			return m.Topic == name.topic && m.Partition == name.number && m.Assigned <= o.assigned
		})
	})
}

// push orders what is held back, as many as may be on the move.
func (r *rebalancing) push(ctx context.Context, plan *protocol.PlanMovesResponse) error {
	for _, m := range plan.Held[:min(len(plan.Held), max(r.flags.moves-len(plan.Moving), 0))] {
		request := &protocol.AssignReplicasRequest{Topic: m.Topic, TopicID: m.TopicID, Partition: m.Partition, Nodes: m.To, If: m.Assigned}
		assigned, err := r.broker.AssignReplicas(ctx, request)
		if err != nil {
			return err
		}
		r.ordered[partitionName{m.Topic, m.Partition}] = order{m.From, assigned.Assigned}
		r.moved++
	}
	return nil
}

// backTime bounds how long an interrupted command takes to take its moves back.
const backTime = 5 * time.Second

// takeBack assigns partitions back to where they were, when the command does not come to its end.
func (r *rebalancing) takeBack(ctx context.Context, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), backTime)
	defer cancel()
	names := slices.SortedFunc(maps.Keys(r.ordered), func(a, b partitionName) int {
		return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
	})
	for _, name := range names {
		o := r.ordered[name]
		request := &protocol.AssignReplicasRequest{Topic: name.topic, Partition: name.number, Nodes: o.from, If: o.assigned}
		if _, err := r.broker.AssignReplicas(ctx, request); err != nil {
			fmt.Fprintf(r.problems, "%s/%d is still on the move: %v\n", name.topic, name.number, err)
			continue
		}
		fmt.Fprintf(r.problems, "%s/%d goes back to where it was\n", name.topic, name.number)
	}
	return why
}

func (r *rebalancing) summary() error {
	if r.output == "json" {
		return r.json(map[string]any{"ordered": r.moved, "settled": len(r.ordered) == 0})
	}
	if len(r.ordered) > 0 {
		_, err := fmt.Fprintf(r.out, "ordered %s; `troupe cluster rebalance --dry-run` tells how far it is\n", plural(int64(r.moved), "move"))
		return err
	}
	_, err := fmt.Fprintf(r.out, "nothing is left to move; %s ordered\n", plural(int64(r.moved), "move"))
	return err
}
