package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"troupe/gateway/client"
)

// consumeFlags are what the command line of consume says.
type consumeFlags struct {
	from, until, format string
	partition           int32
	most                int64
}

func consumeCommand(s *session) *cobra.Command {
	var flags consumeFlags
	command := &cobra.Command{
		Use:   "consume TOPIC",
		Short: "Read a topic's records",
		Long: `Reads a topic's records and prints them, each partition's in order. It goes on as records arrive, until Ctrl-C, --until or
-n ends it.`,
		Example: `  troupe consume hello --until end
  troupe consume hello --from -1h --format json
  troupe consume hello --partition 0 --from 42 -n 10 --format '%p/%o %t %k: %v\n'`,
		Args:              oneTopic,
		ValidArgsFunction: s.topicNames,
		RunE: func(c *cobra.Command, arguments []string) error {
			return s.consume(c.Context(), arguments[0], flags)
		},
	}
	f := command.Flags()
	f.StringVar(&flags.from, "from", "start", "where to begin: start, end, an offset, a time, or a time ago such as -1h or -7d")
	f.StringVar(&flags.until, "until", "", "where to stop: end (as it is now), or an offset, which is not read any more")
	f.Int32Var(&flags.partition, "partition", -1, "read this partition only")
	f.Int64VarP(&flags.most, "count", "n", 0, "stop after so many records")
	f.StringVar(&flags.format, "format", `%v\n`, formatHelp)
	return command
}

// consume prints records until there is a reason to stop.
func (s *session) consume(ctx context.Context, topic string, flags consumeFlags) error {
	print, err := parseFormat(flags.format)
	if err != nil {
		return err
	}
	from, err := parsePosition(flags.from, time.Now())
	if err != nil {
		return err
	}
	until, err := parseBound(flags.until)
	if err != nil {
		return err
	}
	if flags.most < 0 {
		return usagef("-n %d: a count is above 0", flags.most)
	}
	return s.with(ctx, func(broker *client.Client) error {
		var chosen []int32
		if flags.partition >= 0 {
			chosen = []int32{flags.partition}
		}
		out := bufio.NewWriterSize(s.out, 64<<10)
		var line []byte
		p := newPass(func(r *client.Record) {
			line = print(line[:0], r)
			_, _ = out.Write(line) // the error comes back from Flush
		})
		p.most, p.rest = flags.most, out.Flush
		p.tell = func(f *client.Fetched, lost client.Gap) {
			fmt.Fprintf(s.problems, "troupe: topic %s, partition %d: the offsets from %d to below %d were lost to damage and given up with `troupe log repair --accept-loss`\n",
				f.Topic, f.Partition, lost.First, lost.Next)
		}
		if err := p.begin(ctx, broker, topic, from, until, chosen); err != nil {
			return err
		}
		err := p.run(ctx, broker)
		return errors.Join(err, out.Flush())
	})
}
