package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

func topicCommand(s *session) *cobra.Command {
	return noun("topic", "Create, list, describe, alter, trim and delete topics",
		topicCreateCommand(s), topicListCommand(s), topicDescribeCommand(s), topicAlterCommand(s), topicTrimCommand(s), topicDeleteCommand(s))
}

func topicCreateCommand(s *session) *cobra.Command {
	var (
		partitions            int32
		replicas              int
		settings              []string
		ifNotExists, rehearse bool
	)
	command := &cobra.Command{
		Use:   "create TOPIC",
		Short: "Create a topic",
		Long:  "Creates a topic.\n\nSettings:\n" + settingsHelp(),
		Example: `  troupe topic create hello --partitions 3
  troupe topic create orders --partitions 6 --replicas 3
  troupe topic create events --partitions 12 --set max.message.bytes=4MiB --if-not-exists`,
		Args: oneTopic,
		RunE: func(c *cobra.Command, arguments []string) error {
			chosen, err := parseSettings(settings)
			if err != nil {
				return err
			}
			if c.Flags().Changed("replicas") {
				if _, twice := chosen["replicas"]; twice {
					return usagef("--replicas and --set replicas say the same thing; give one of them")
				}
				chosen["replicas"] = strconv.Itoa(replicas)
			}
			wanted := catalog.CreateTopic{Name: id.Topic(arguments[0]), Partitions: partitions, Settings: chosen}
			if err := wanted.Validate(); err != nil {
				return err
			}
			return s.with(c.Context(), func(broker *client.Client) error {
				return s.createTopic(c.Context(), broker, wanted, ifNotExists, rehearse)
			})
		},
	}
	command.Flags().Int32Var(&partitions, "partitions", 1, "how many partitions: the units of order and of parallelism")
	command.Flags().IntVar(&replicas, "replicas", 0, "copies of each partition, on different brokers: 1, 3 or 5 (default: 1 below 3 brokers, else 3)")
	command.Flags().StringArrayVar(&settings, "set", nil, "a setting, name=value; may be given several times")
	command.Flags().BoolVar(&ifNotExists, "if-not-exists", false, "succeed if there is a topic of that name already")
	command.Flags().BoolVar(&rehearse, "dry-run", false, "check everything, create nothing")
	return command
}

// settingsHelp lists the settings a topic can have.
func settingsHelp() string {
	var b strings.Builder
	for _, v := range catalog.Settings() {
		values := v.Range
		if v.Default != "" {
			values += "; default " + v.Default
		}
		fmt.Fprintf(&b, "  %-24s %s (%s)\n", v.Name, v.Description, values)
	}
	return b.String()
}

// parseSettings reads name=value pairs.
func parseSettings(pairs []string) (map[string]string, error) {
	settings := map[string]string{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, usagef("--set %q is no setting; write it as name=value", pair)
		}
		if _, twice := settings[name]; twice {
			return nil, usagef("--set %s is given twice", name)
		}
		settings[name] = value
	}
	return settings, nil
}

// createTopic creates a topic, or tells that it would.
func (s *session) createTopic(ctx context.Context, broker *client.Client, wanted catalog.CreateTopic, ifNotExists, rehearse bool) error {
	if rehearse {
		_, err := broker.DescribeTopic(ctx, string(wanted.Name))
		switch {
		case err == nil && !ifNotExists:
			return protocol.NewError(protocol.CodeTopicExists, "topic %q exists already", wanted.Name)
		case err != nil && !errors.Is(err, protocol.CodeUnknownTopic):
			return err
		}
		return s.createdTopic(wanted, "would create", "", err == nil)
	}
	created, err := broker.CreateTopic(ctx, string(wanted.Name), wanted.Partitions, wanted.Settings)
	if ifNotExists && errors.Is(err, protocol.CodeTopicExists) {
		return s.createdTopic(wanted, "", "", true)
	}
	if err != nil {
		return err
	}
	return s.createdTopic(wanted, "created", created.TopicID.String(), false)
}

// createdTopic reports what became of a creation.
func (s *session) createdTopic(wanted catalog.CreateTopic, done, topicID string, existed bool) error {
	if s.output == "json" {
		return s.json(map[string]any{"topic": wanted.Name, "id": topicID, "partitions": wanted.Partitions, "created": topicID != ""})
	}
	if existed {
		_, err := fmt.Fprintf(s.out, "topic %s exists already; nothing changed\n", wanted.Name)
		return err
	}
	_, err := fmt.Fprintf(s.out, "%s topic %s with %s\n", done, wanted.Name, plural(int64(wanted.Partitions), "partition"))
	return err
}

func topicListCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the topics",
		Example: "  troupe topic list --output json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return s.with(c.Context(), func(broker *client.Client) error {
				topics, err := broker.ListTopics(c.Context())
				if err != nil {
					return err
				}
				return s.listTopics(topics)
			})
		},
	}
}

func (s *session) listTopics(topics []protocol.MetadataTopic) error {
	type listedTopic struct {
		Topic      string `json:"topic"`
		ID         string `json:"id"`
		Partitions int    `json:"partitions"`
		Replicas   int    `json:"replicas"`
	}
	listed := []listedTopic{}
	var rows [][]string
	for _, t := range topics {
		replicas := 0
		for _, p := range t.Partitions { // the most that one has: while it grows, others may be behind
			replicas = max(replicas, len(p.Replicas))
		}
		listed = append(listed, listedTopic{t.Topic, t.TopicID.String(), len(t.Partitions), replicas})
		rows = append(rows, []string{t.Topic, t.TopicID.String(), strconv.Itoa(len(t.Partitions)), strconv.Itoa(replicas)})
	}
	switch {
	case s.output == "json":
		return s.json(listed)
	case len(rows) == 0:
		_, err := fmt.Fprintln(s.problems, "There are no topics yet; create one with `troupe topic create NAME`.")
		return err
	}
	return s.table([]string{"TOPIC", "ID", "PARTITIONS", "REPLICAS"}, rows)
}

func topicDescribeCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:               "describe TOPIC",
		Short:             "Show a topic's settings and partitions",
		Example:           "  troupe topic describe hello",
		Args:              oneTopic,
		ValidArgsFunction: s.topicNames,
		RunE: func(c *cobra.Command, arguments []string) error {
			return s.with(c.Context(), func(broker *client.Client) error {
				topic, err := broker.DescribeTopic(c.Context(), arguments[0])
				if err != nil {
					return err
				}
				if s.output == "json" {
					return s.json(jsonTopicOf(topic))
				}
				return s.describeTopic(topic)
			})
		},
	}
}

// describeTopic prints a topic for people.
func (s *session) describeTopic(topic *protocol.DescribeTopicResponse) error {
	j := jsonTopicOf(topic)
	fmt.Fprintf(s.out, "%s (%s), created %s, %s, %s records, %s on disk\n\n", topic.Topic, topic.TopicID, j.Created,
		plural(int64(len(topic.Partitions)), "partition"), humanize.Comma(j.Records), bytesText(j.Bytes))
	var rows [][]string
	for _, v := range j.Settings {
		chosen := "default"
		if v.Chosen {
			chosen = "chosen for this topic"
		}
		rows = append(rows, []string{v.Name, v.Value, v.Unit, v.Range, chosen})
	}
	if err := s.table([]string{"SETTING", "VALUE", "UNIT", "RANGE", "WHO CHOSE IT"}, rows); err != nil {
		return err
	}
	fmt.Fprintln(s.out)
	rows = nil
	short := shortNodes(nodesIn(topic))
	for i, p := range j.Partitions {
		rows = append(rows, []string{strconv.Itoa(int(p.Partition)), p.Leader, replicasText(&topic.Partitions[i], short), strconv.FormatUint(p.Term, 10),
			strconv.FormatInt(p.LogStart, 10), strconv.FormatInt(p.HighWatermark, 10), bytesText(p.Bytes), partitionState(&topic.Partitions[i])})
	}
	if err := s.table([]string{"PARTITION", "LEADER", "REPLICAS", "TERM", "LOG START", "HIGH WATERMARK", "SIZE", "STATE"}, rows); err != nil {
		return err
	}
	for i, line := range recoveriesOf(topic) {
		if i == 0 {
			fmt.Fprintln(s.out)
		}
		fmt.Fprintln(s.out, line)
	}
	return nil
}

// jsonTopic is a topic as --output json describes it.
type jsonTopic struct {
	Topic      string          `json:"topic"`
	ID         string          `json:"id"`
	Created    string          `json:"created"`
	Records    int64           `json:"records"`
	Bytes      int64           `json:"bytes"`
	Settings   []jsonSetting   `json:"settings"`
	Partitions []jsonPartition `json:"partitions"`
}

type jsonSetting struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Unit   string `json:"unit"`
	Range  string `json:"range"`
	Chosen bool   `json:"chosen"`
}

type jsonPartition struct {
	Partition     int32          `json:"partition"`
	Leader        string         `json:"leader"`
	Replicas      []string       `json:"replicas"`
	Role          string         `json:"role"`
	Ready         bool           `json:"ready"`
	Term          uint64         `json:"term"`
	LogStart      int64          `json:"log_start"`
	HighWatermark int64          `json:"high_watermark"`
	Bytes         int64          `json:"bytes"`
	Problem       string         `json:"problem,omitempty"`
	Assigned      int64          `json:"assigned"`
	Settled       bool           `json:"settled"`
	Members       []jsonMember   `json:"members"`
	Recoveries    []jsonRecovery `json:"recoveries,omitempty"`
}

// jsonMember is one replica of a partition: assigned, or still a member.
type jsonMember struct {
	Replica uint64 `json:"replica"`
	Node    string `json:"node"`
	Role    string `json:"role"`
	State   string `json:"state,omitempty"`
	Match   uint64 `json:"match,omitempty"`
}

// settingsOf is what the catalog's table of settings needs to know of a topic.
func settingsOf(topic *protocol.DescribeTopicResponse) *catalog.Topic {
	t := &catalog.Topic{Settings: topic.Settings}
	for _, p := range topic.Partitions {
		t.Partitions = append(t.Partitions, catalog.Assignment{Replicas: make([]partitions.Placed, len(p.Replicas))})
	}
	return t
}

func jsonPartitionOf(p *protocol.DescribedPartition) jsonPartition {
	j := jsonPartition{
		Partition: p.Partition, Leader: nodeText(p.Leader), Replicas: []string{}, Role: p.Role, Ready: p.Ready, Term: uint64(p.Term),
		LogStart: int64(p.LogStart), HighWatermark: int64(p.HighWatermark), Bytes: p.Bytes, Problem: p.Problem,
		Assigned: int64(p.Assigned), Settled: p.Settled, Members: []jsonMember{},
	}
	for _, r := range p.Replicas {
		j.Replicas = append(j.Replicas, r.String())
	}
	for _, m := range p.Members {
		j.Members = append(j.Members, jsonMember{uint64(m.Replica), m.Node.String(), m.Role, m.State, uint64(m.Match)})
	}
	for i := range p.Recoveries {
		j.Recoveries = append(j.Recoveries, jsonRecoveryOf(&p.Recoveries[i]))
	}
	return j
}

func jsonTopicOf(topic *protocol.DescribeTopicResponse) jsonTopic {
	j := jsonTopic{Topic: topic.Topic, ID: topic.TopicID.String(), Partitions: []jsonPartition{},
		Created: timeText(topic.Created)}
	for _, v := range settingsOf(topic).Values() {
		j.Settings = append(j.Settings, jsonSetting{v.Name, v.Value, v.Unit, v.Range, v.Chosen})
	}
	for i := range topic.Partitions {
		p := &topic.Partitions[i]
		j.Partitions = append(j.Partitions, jsonPartitionOf(p))
		j.Records += max(0, int64(p.HighWatermark-p.LogStart))
		j.Bytes += p.Bytes
	}
	return j
}

func topicDeleteCommand(s *session) *cobra.Command {
	var ifExists, rehearse bool
	command := &cobra.Command{
		Use:               "delete TOPIC",
		Aliases:           []string{"rm"},
		Short:             "Delete a topic and everything in it",
		Example:           "  troupe topic delete hello --dry-run   # tells what would go",
		Args:              oneTopic,
		ValidArgsFunction: s.topicNames,
		RunE: func(c *cobra.Command, arguments []string) error {
			return s.with(c.Context(), func(broker *client.Client) error {
				return s.deleteTopic(c.Context(), broker, arguments[0], ifExists, rehearse)
			})
		},
	}
	command.Flags().BoolVar(&ifExists, "if-exists", false, "succeed if there is no such topic")
	command.Flags().BoolVar(&rehearse, "dry-run", false, "tell what would be deleted, delete nothing")
	return command
}

func (s *session) deleteTopic(ctx context.Context, broker *client.Client, name string, ifExists, rehearse bool) error {
	topic, err := broker.DescribeTopic(ctx, name)
	if err == nil && !rehearse {
		err = broker.DeleteTopic(ctx, name)
	}
	absent := errors.Is(err, protocol.CodeUnknownTopic)
	if err != nil && !(absent && ifExists) {
		return err
	}
	if s.output == "json" {
		return s.json(map[string]any{"topic": name, "deleted": !absent && !rehearse})
	}
	if absent {
		_, err = fmt.Fprintf(s.out, "there is no topic %s; nothing changed\n", name)
		return err
	}
	done := "deleted"
	if rehearse {
		done = "would delete"
	}
	_, err = fmt.Fprintf(s.out, "%s topic %s with %s records\n", done, name, humanize.Comma(jsonTopicOf(topic).Records))
	return err
}
