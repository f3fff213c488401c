package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"troupe/gateway/client"
)

// completionTime bounds how long a press of the tab key may take.
const completionTime = time.Second

// topicNames completes the name of a topic, in the shells that `troupe completion` sets up. Without a broker there is
// nothing to offer.
func (s *session) topicNames(c *cobra.Command, arguments []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(arguments) > 0 {
		return nil, cobra.ShellCompDirectiveDefault // produce takes files there
	}
	ctx, cancel := context.WithTimeout(c.Context(), completionTime)
	defer cancel()
	var names []string
	err := s.with(ctx, func(broker *client.Client) error {
		topics, err := broker.ListTopics(ctx)
		for _, t := range topics {
			if strings.HasPrefix(t.Topic, begun) {
				names = append(names, t.Topic)
			}
		}
		return err
	})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
