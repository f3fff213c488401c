package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// devFlags are what the command line of dev says.
type devFlags struct {
	nodes, port int
	data        string
}

func devCommand(s *session) *cobra.Command {
	var flags devFlags
	command := &cobra.Command{
		Use:   "dev",
		Short: "Run a cluster on this machine, until Ctrl-C",
		Long: `Starts several brokers as processes of this program on loopback, which find each other by gossip, and tells what to try with
them. Their data stays in --data, and the next run goes on with it; remove the directory to begin anew. Each broker's log is
beside its data. Ctrl-C stops them all in order.`,
		Example: `  troupe dev
  troupe dev --nodes 5 --port 0`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case flags.nodes < 1 || flags.nodes > mostLocal:
				return usagef("--nodes %d: between 1 and %d brokers fit on one machine", flags.nodes, mostLocal)
			case flags.port < 0 || flags.port > 65535-mostLocal*basePorts:
				return usagef("--port %d is too high for the ports of %d brokers", flags.port, flags.nodes)
			}
			return s.dev(c.Context(), flags)
		},
	}
	f := command.Flags()
	f.IntVar(&flags.nodes, "nodes", 3, "how many brokers")
	f.IntVar(&flags.port, "port", 9642, "the first broker's gateway; each further one is 10 higher, and its other ports follow it. 0: free ones")
	f.StringVar(&flags.data, "data", "./troupe-dev", "directory of the brokers' data and logs")
	return command
}

// mostLocal bounds the brokers of one machine.
const mostLocal = 9

// dev runs a local cluster until the context ends.
func (s *session) dev(ctx context.Context, flags devFlags) error {
	cluster, err := newLocalCluster(flags.data, flags.nodes, flags.port)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.problems, "starting %s in %s\n", plural(int64(flags.nodes), "broker"), flags.data)
	if err := cluster.start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	if err := s.showLocal(cluster, flags); err != nil {
		return errors.Join(err, cluster.drain())
	}
	ended := make(chan *localBroker, len(cluster.brokers))
	for _, b := range cluster.brokers {
		go func() {
			<-b.exited
			ended <- b
		}()
	}
	for left := len(cluster.brokers); left > 0; {
		select {
		case <-ctx.Done():
			fmt.Fprintln(s.problems, "stopping")
			return cluster.drain()
		case b := <-ended:
			left--
			fmt.Fprintf(s.problems, "broker %s on %s has ended (%v); its log is %s\n", b.Node, b.gateway, b.outcome, filepath.Join(b.directory, "broker.log"))
		}
	}
	return errors.New("no broker is left")
}

// showLocal prints where a local cluster is, and what to try.
func (s *session) showLocal(cluster *localCluster, flags devFlags) error {
	type shown struct {
		Node    string `json:"node"`
		Gateway string `json:"gateway"`
		HTTP    string `json:"http"`
		PID     int    `json:"pid"`
		Data    string `json:"data"`
	}
	var all []shown
	var rows [][]string
	for _, b := range cluster.brokers {
		one := shown{b.Node, b.gateway, b.HTTP, b.pid(), filepath.Join(b.directory, "data")}
		all = append(all, one)
		rows = append(rows, []string{one.Node, one.Gateway, "http://" + one.HTTP, strconv.Itoa(one.PID), one.Data})
	}
	if s.output == "json" {
		return s.json(all)
	}
	if err := s.table([]string{"BROKER", "GATEWAY", "HTTP", "PROCESS", "DATA"}, rows); err != nil {
		return err
	}
	broker := ""
	if flags.port != 9642 || os.Getenv("TROUPE_BROKER") != "" {
		broker = "export TROUPE_BROKER=" + strings.Join(cluster.gateways(), ",") + "\n  "
	}
	last := cluster.brokers[len(cluster.brokers)-1]
	_, err := fmt.Fprintf(s.out, `
In another terminal:
  %stroupe topic create hello --partitions 6
  seq 100000 | troupe produce hello
  troupe consume hello --until end | wc -l
  troupe cluster status --watch
  troupe cluster partitions
  kill -9 %d                       # a broker dies; the others go on

Ctrl-C stops all of them.
`, broker, last.pid())
	return err
}
