package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

// EverythingSoFar as an offset of DeleteRecords deletes every record below the high watermark.
const EverythingSoFar = protocol.EverythingSoFar

// DeleteRecords deletes the records of some partitions of a topic below an offset each, and returns what the partitions hold
// then, by number. It may be repeated without harm, and repeats itself where an answer is lost. Codes of its errors:
// OFFSET_OUT_OF_RANGE above the high watermark, INVALID_TOPIC_NAME for a topic of the broker's own. Of several partitions
// some may be done when it returns an error.
func (c *Client) DeleteRecords(ctx context.Context, topic string, before map[int32]id.Offset) ([]protocol.DeletedRecords, error) {
	t, err := c.topics.learn(ctx, topic)
	if err != nil {
		return nil, err
	}
	action := "delete records of topic " + topic
	numbers := slices.Sorted(maps.Keys(before))
	deleted := make([]protocol.DeletedRecords, len(numbers))
	missing := make([]int, len(numbers)) // indexes into numbers
	for i := range missing {
		missing[i] = i
	}
	deadline := time.Now().Add(c.settings.requestTimeout)
	for attempt := 0; len(missing) > 0; attempt++ {
		asked := missing[:min(len(missing), protocol.MaxPartitions)]
		answers, err := c.deleteOnce(ctx, action, t, before, numbers, asked)
		if err != nil {
			return nil, err
		}
		var refused error
		var still []int
		for k, p := range answers {
			switch {
			case p.Err == nil:
				deleted[asked[k]] = p
			case p.Err.Retriable || errors.Is(p.Err, protocol.CodeOutcomeUnknown):
				refused, still = p.Err, append(still, asked[k])
			default:
				return nil, explain(fmt.Sprintf("%s/%d", action, p.Partition), p.Err)
			}
		}
		missing = append(still, missing[len(asked):]...)
		if refused == nil {
			continue
		}
		c.cluster.turn()
		pause := backoff(attempt, refused)
		if time.Now().Add(pause).After(deadline) || wait(ctx, c.closing, pause) != nil {
			return nil, explain(action, refused)
		}
	}
	return deleted, nil
}

// deleteOnce asks for some of the partitions.
func (c *Client) deleteOnce(ctx context.Context, action string, t *topic, before map[int32]id.Offset, numbers []int32, asked []int) ([]protocol.DeletedRecords, error) {
	request, answer := new(protocol.DeleteRecordsRequest), new(protocol.DeleteRecordsResponse)
	for _, i := range asked {
		request.Partitions = append(request.Partitions, protocol.DeletePartition{
			Topic: t.name, TopicID: t.id, Partition: numbers[i], Before: before[numbers[i]],
		})
	}
	if err := c.cluster.persist(ctx, action, request, answer, askAgain); err != nil {
		return nil, err
	}
	if len(answer.Partitions) != len(asked) {
		return nil, explain(action, protocol.NewError(protocol.CodeInternal, "asked %d partitions, told of %d", len(asked), len(answer.Partitions)))
	}
	return answer.Partitions, nil
}
