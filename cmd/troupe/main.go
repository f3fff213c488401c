package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"troupe/gateway/client"
)

// The exit codes; `troupe --help` documents them.
const (
	exitFine      = 0
	exitFailed    = 1
	exitUsage     = 2
	exitUnhealthy = 10
)

func main() {
	// The first signal ends the command in order (a broker drains, a consumer stops); the second ends the process.
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // by nohup: who closes the terminal wants it to go on
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, arguments []string, in io.Reader, out, problems io.Writer) int {
	s := &session{in: in, out: out, problems: problems}
	root := rootCommand(s)
	root.SetArgs(arguments)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(problems)
	command, err := root.ExecuteContextC(ctx)
	var wrong *usageError
	var unhealthy *unhealthyError
	var late *timeoutError
	var damaged *damagedError
	var differing *differingError
	switch {
	case err == nil:
		return exitFine
	case !s.started || errors.As(err, &wrong):
		fmt.Fprintf(problems, "troupe: %s\nSee `%s --help`.\n", usageText(err), command.CommandPath())
		return exitUsage
	case errors.As(err, &unhealthy), errors.As(err, &late), errors.As(err, &damaged), errors.As(err, &differing):
		fmt.Fprintf(problems, "troupe: %v\n", err)
		return exitUnhealthy
	default:
		fmt.Fprintf(problems, "troupe: %v\n", explain(err, s.broker))
		return exitFailed
	}
}

// usageText is a parsing error in our own words: the libraries' are made of several lines, or name Go's functions.
func usageText(err error) string {
	text := err.Error()
	if i := strings.Index(text, ": strconv."); i >= 0 {
		text = text[:i] + ", which wants a number"
	}
	if what, near, found := strings.Cut(text, "\n\nDid you mean this?\n"); found {
		text = what + "; did you mean " + strings.Join(strings.Fields(near), " or ") + "?"
	}
	return text
}

// session is what every command of one run shares.
type session struct {
	broker string // host:port that clients connect to, or several with commas
	output string // "table" or "json"
	// started is set when the command line was understood: errors before that are the caller's usage.
	started  bool
	in       io.Reader
	out      io.Writer
	problems io.Writer // stderr: progress, summaries and errors, so that stdout holds only what was asked for
}

func rootCommand(s *session) *cobra.Command {
	root := &cobra.Command{
		Use:   "troupe",
		Short: "A distributed commit log made of actors",
		Long: `Troupe is a distributed commit log: topics of ordered, durable partitions, written and read over TCP.

Commands that talk to a broker find it by --broker HOST:PORT[,HOST:PORT...] or the environment's TROUPE_BROKER.
Exit codes: 0 fine, 1 failed, 2 the command line was wrong, 10 not healthy; see ` + "`troupe help exit-codes`" + `.`,
		Example: `  troupe serve                               # a broker on 127.0.0.1:9642, data in ./troupe-data
  troupe topic create hello --partitions 3
  echo "a first record" | troupe produce hello
  troupe consume hello --until end`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if s.output != "table" && s.output != "json" {
				return fmt.Errorf("--output is %q; it can be table or json", s.output)
			}
			s.started = true
			return nil
		},
	}
	root.SetFlagErrorFunc(nearFlag)
	broker := os.Getenv("TROUPE_BROKER")
	if broker == "" {
		broker = client.DefaultBroker
	}
	root.PersistentFlags().StringVar(&s.broker, "broker", broker, "address of any broker, HOST:PORT; several with commas: the next is asked where one does not answer (environment: TROUPE_BROKER)")
	root.PersistentFlags().StringVar(&s.output, "output", "table", "table for people, json for programs")
	root.AddCommand(serveCommand(s), devCommand(s), topicCommand(s), produceCommand(s), consumeCommand(s), clusterCommand(s), partitionCommand(s), logCommand(s), configCommand(s), secretCommand(s),
		demoCommand(s), benchCommand(s), versionCommand(s), exitCodesTopic())
	return root
}

// nearFlag adds to an unknown flag those that may have been meant, by cobra's own rule for commands.
func nearFlag(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	flags := cobra.Command{SuggestionsMinimumDistance: 2}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		flags.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	near := flags.SuggestionsFor(unknown.GetSpecifiedName())
	if len(near) == 0 {
		return err
	}
	return fmt.Errorf("%w; did you mean --%s?", err, strings.Join(near, " or --"))
}

// exitCodesTopic is a page of the help: a command that cannot be run.
func exitCodesTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the exit codes mean",
		Long: `Every command exits with one of these:

  0   fine: everything that was asked for is done
  1   failed: standard error says what happened, to what, and what to do next; some of it may be done
  2   the command line or the configuration was wrong: nothing was tried
  10  a cluster answers and is not healthy (cluster status), or did not get healthy in time; replicas differ or could not be
      compared (cluster verify); a log on disk is damaged (log verify)

A broker that drains after SIGTERM or SIGINT exits 0; one that had to cut clients or logs off exits 1. Other commands that
are interrupted exit 1. A second signal ends the process at once, by that signal.`,
	}
}

// noun returns a command that only groups others: alone it shows them.
func noun(use, short string, verbs ...*cobra.Command) *cobra.Command {
	group := &cobra.Command{
		Use:   use,
		Short: short,
		Args: func(c *cobra.Command, arguments []string) error {
			if len(arguments) == 0 {
				return nil
			}
			hint := ""
			if near := c.SuggestionsFor(arguments[0]); len(near) > 0 {
				hint = "; did you mean " + strings.Join(near, " or ") + "?"
			}
			return fmt.Errorf("unknown command %q for %q%s", arguments[0], c.CommandPath(), hint)
		},
		RunE:                       func(c *cobra.Command, _ []string) error { return c.Help() },
		SuggestionsMinimumDistance: 2,
	}
	group.AddCommand(verbs...)
	return group
}

// oneTopic demands the name of a topic, and nothing else.
func oneTopic(c *cobra.Command, arguments []string) error {
	if len(arguments) != 1 {
		return fmt.Errorf("`%s` wants the name of one topic, not %d words", c.UseLine(), len(arguments))
	}
	return nil
}
