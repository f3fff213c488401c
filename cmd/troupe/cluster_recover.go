package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

func clusterRecoverCommand(s *session) *cobra.Command {
	var from string
	var acceptLoss bool
	command := &cobra.Command{
		Use:   "recover --from DIR --accept-loss",
		Short: "Go on with the catalog that one stopped broker has, after the others are lost for ever",
		Long: `For a cluster whose catalog has no leader because a majority of its replicas is lost for ever: their brokers are destroyed, or
their data. Nothing can be created or moved then, though partitions that still have their own majority go on. The broker whose
data directory is DIR, stopped, becomes the catalog's only voter, in a new epoch of the cluster; the catalog grows again by itself.

Without --accept-loss it changes nothing that counts, and shows what DIR has: look at every broker that is left, and recover from
the one whose last entry has the highest term, and of those the highest number. What only the lost ones had is lost: topics and
settings, moves. Nothing can tell whether there was anything, so make sure that they are lost and not only cut off.

Brokers of two epochs refuse each other, and those of the lower one stop when they meet a higher one. Have each that is left
follow with ` + "`troupe cluster adopt`" + `: it keeps its partitions, and its old replica of the catalog aside. Empty ones join as always.
Then let the lost ones go with ` + "`troupe cluster decommission`" + `, and see to partitions that lost their own majority with
` + "`troupe partition recover`" + `. Whatever interrupts the command, run it again: no broker starts on DIR before it is finished.`,
		Example: `  troupe cluster recover --from ./troupe-data                  # shows what it has
  troupe cluster recover --from ./troupe-data --accept-loss`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if from == "" {
				return usagef("--from DIR names the data directory of the broker to go on with")
			}
			return s.recoverCatalog(from, acceptLoss)
		},
	}
	f := command.Flags()
	f.StringVar(&from, "from", "", "the data directory of the broker to go on with")
	f.BoolVar(&acceptLoss, "accept-loss", false, "give up what only the lost replicas of the catalog had")
	return command
}

// recoverCatalog has the catalog go on with what a directory holds of it, or tells what that is.
func (s *session) recoverCatalog(path string, accepted bool) (err error) {
	d, err := openAtRest("cluster recover", path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	h, err := readHeritage(d)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	unfinished := h.identity.Recovering
	switch {
	case unfinished && h.begun():
		return errors.Join(d.EndRecovery(), s.tellSuccession(path, h, nil))
	case unfinished: // what was accepted once
	case h.whole():
		return s.tellSuccession(path, h, nil)
	default:
		if err := h.check(); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if !accepted {
			if err := s.tellHeritage(h); err != nil {
				return err
			}
			return usagef("nothing was changed; what only the lost replicas of the catalog had is lost for ever by this, and --accept-loss " +
				"says that it may be")
		}
	}
	record, err := h.succeed(id.Timestamp(time.Now().UnixMilli()), rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return s.tellSuccession(path, h, record)
}

// tellHeritage shows what a directory has of the catalog.
func (s *session) tellHeritage(h *heritage) error {
	topics, count := h.state.Count()
	if s.output == "json" {
		return s.json(map[string]any{
			"node": h.identity.Node.String(), "cluster": h.identity.Cluster.String(), "epoch": h.identity.Epoch.String(),
			"replica": uint64(h.replica), "last_index": uint64(h.status.Last), "last_term": uint64(h.status.LastTerm),
			"committed_index": uint64(h.status.Applied), "newest": timeText(h.clock), "topics": topics, "partitions": count,
			"voters": nodesText(h.status.Voters), "brokers": len(h.state.Nodes), "recovered": false,
		})
	}
	_, err := fmt.Fprintf(s.out, `broker %v of cluster %v, epoch %v, has replica %d of the catalog:
  last entry %d of term %d, the newest from %s; known to be committed up to %d
  %s, %s, %s
  voters: %s
`, h.identity.Node, h.identity.Cluster, h.identity.Epoch, h.replica, h.status.Last, h.status.LastTerm, timeText(h.clock), h.status.Applied,
		plural(int64(topics), "topic"), plural(int64(count), "partition"), plural(int64(len(h.state.Nodes)), "broker"),
		strings.Join(nodesText(h.status.Voters), ", "))
	return err
}

// tellSuccession tells that the catalog's only voter is here. No record: it was before.
func (s *session) tellSuccession(path string, h *heritage, record *catalog.Recovery) error {
	epoch := h.identity.Epoch
	if s.output == "json" {
		return s.json(map[string]any{
			"node": h.identity.Node.String(), "cluster": h.identity.Cluster.String(), "epoch": epoch.String(), "recovered": record != nil,
		})
	}
	if record == nil {
		_, err := fmt.Fprintf(s.out, "broker %v votes alone for the catalog, in epoch %v: there is nothing left to recover; start it\n",
			h.identity.Node, epoch)
		return err
	}
	_, err := fmt.Fprintf(s.out, `broker %v votes alone for the catalog, in epoch %v; given up: %s
start it with --data %s; have each other broker that is left follow with
  troupe cluster adopt DIR --epoch %v
`, h.identity.Node, epoch, strings.Join(nodesText(record.GivenUp), ", "), path, epoch)
	return err
}

// nodesText lists replicas with their brokers.
func nodesText(all []partitions.Placed) []string {
	texts := []string{}
	for _, p := range all {
		texts = append(texts, fmt.Sprintf("%d on broker %v", uint64(p.Replica), p.Node))
	}
	return texts
}
