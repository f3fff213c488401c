package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"troupe/gateway/client"
	"troupe/partitions/catalog"
)

func topicAlterCommand(s *session) *cobra.Command {
	var settings, unset []string
	var rehearse bool
	command := &cobra.Command{
		Use:   "alter TOPIC",
		Short: "Change a topic's settings",
		Long:  "Changes settings of a topic, at once and without a restart. What is not named stays as it is.\n\nSettings:\n" + settingsHelp(),
		Example: `  troupe topic alter hello --set max.message.bytes=4MiB
  troupe topic alter hello --unset max.message.bytes --dry-run   # tells what would change`,
		Args:              oneTopic,
		ValidArgsFunction: s.topicNames,
		RunE: func(c *cobra.Command, arguments []string) error {
			chosen, err := parseSettings(settings)
			if err != nil {
				return err
			}
			if len(chosen)+len(unset) == 0 {
				return usagef("nothing to change is named; --set name=value chooses a setting, --unset name returns one to its default")
			}
			command := catalog.AlterTopic{Set: chosen, Unset: unset}
			if err := command.Validate(); err != nil {
				return err
			}
			return s.with(c.Context(), func(broker *client.Client) error {
				return s.alterTopic(c.Context(), broker, arguments[0], command, rehearse)
			})
		},
	}
	command.Flags().StringArrayVar(&settings, "set", nil, "a setting, name=value; may be given several times")
	command.Flags().StringArrayVar(&unset, "unset", nil, "a setting that is to follow its default again; may be given several times")
	command.Flags().BoolVar(&rehearse, "dry-run", false, "tell what would change, change nothing")
	return command
}

// changedSetting is one setting before and after.
type changedSetting struct {
	Name   string `json:"name"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// alterTopic changes a topic's settings, or tells how it would.
func (s *session) alterTopic(ctx context.Context, broker *client.Client, name string, command catalog.AlterTopic, rehearse bool) error {
	described, err := broker.DescribeTopic(ctx, name)
	if err != nil {
		return err
	}
	before := settingsOf(described)
	after, err := before.Altered(command.Set, command.Unset)
	if err != nil {
		return err
	}
	if !rehearse {
		after.Settings, err = broker.AlterTopic(ctx, name, command.Set, command.Unset)
		if err != nil {
			return err
		}
	}
	changes := []changedSetting{}
	was := before.Values()
	for i, v := range after.Values() { // the same settings, in the same order
		if was[i].Value != v.Value || was[i].Chosen != v.Chosen {
			changes = append(changes, changedSetting{v.Name, valueText(was[i]), valueText(v)})
		}
	}
	if s.output == "json" {
		return s.json(map[string]any{"topic": name, "altered": !rehearse, "settings": changes})
	}
	if len(changes) == 0 {
		_, err := fmt.Fprintf(s.out, "topic %s has these settings already; nothing changed\n", name)
		return err
	}
	done := "altered"
	if rehearse {
		done = "would alter"
	}
	fmt.Fprintf(s.out, "%s topic %s\n\n", done, name)
	var rows [][]string
	for _, c := range changes {
		rows = append(rows, []string{c.Name, c.Before, c.After})
	}
	return s.table([]string{"SETTING", "WAS", "IS"}, rows)
}

func valueText(v catalog.Value) string {
	if v.Chosen {
		return v.Value
	}
	return v.Value + " (default)"
}
