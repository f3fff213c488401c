package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

func clusterAdoptCommand(s *session) *cobra.Command {
	var text string
	command := &cobra.Command{
		Use:   "adopt DIR --epoch EPOCH",
		Short: "Have a stopped broker follow a catalog that was recovered without it",
		Long: `For a broker that was left when the cluster's catalog was recovered from another one (` + "`troupe cluster recover`" + `): it stops
when it meets that one, and its log names the epoch, as ` + "`troupe cluster status`" + ` does there. The broker of data directory DIR keeps its
id and its partitions, with all that they hold; its replica of the lost catalog is moved to aside/ and deleted by nobody.
What that had and the recovered catalog has not is given up. Whatever interrupts the command, run it again.`,
		Example: `  troupe cluster adopt ./troupe-data --epoch 1-9c0ffee1d3`,
		Args:    oneDirectory,
		RunE: func(_ *cobra.Command, arguments []string) error {
			epoch, err := id.ParseEpoch(text)
			if err != nil {
				return usagef("--epoch %q is none; the log of a broker that stopped names it, and `troupe cluster status` of the cluster", text)
			}
			return s.adopt(arguments[0], epoch)
		},
	}
	command.Flags().StringVar(&text, "epoch", "", "the epoch to follow, as `troupe cluster recover` told it")
	return command
}

// adopt has a data directory follow an epoch that began elsewhere.
func (s *session) adopt(path string, epoch id.Epoch) (err error) {
	d, err := openAtRest("cluster adopt", path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	aside, err := d.Adopt(epoch, catalog.Partition())
	if err != nil {
		return err
	}
	identity := d.Identity()
	if s.output == "json" {
		return s.json(map[string]any{"node": identity.Node.String(), "cluster": identity.Cluster.String(), "epoch": epoch.String(),
			"aside": append([]string{}, aside...)})
	}
	kept := ""
	if len(aside) > 0 {
		kept = "; what it had of the old one is kept in " + strings.Join(aside, ", ")
	}
	_, err = fmt.Fprintf(s.out, "broker %v follows the catalog of epoch %v%s; start it\n", identity.Node, epoch, kept)
	return err
}
