package client

import (
	"context"
	"fmt"
	"iter"

	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

// Consume begins to read a topic's partitions at a position; none named: all of them. What is fetched, Poll returns.
// Partitions being read already go on from the new position: what was fetched before is dropped.
func (c *Client) Consume(ctx context.Context, topic string, from Position, partitions ...int32) error {
	t, err := c.topics.learn(ctx, topic)
	if err != nil {
		return err
	}
	numbers := t.numbers(partitions)
	offsets := make([]id.Offset, len(numbers))
	for i, number := range numbers {
		if number < 0 || int(number) >= len(t.lanes) {
			return explain("consume "+topic, protocol.NewError(protocol.CodeUnknownTopic,
				"topic %s has %d partitions, and no number %d", topic, len(t.lanes), number))
		}
		offsets[i] = from.offset
	}
	if from.kind != atOffset {
		listed, err := c.listOffsets(ctx, t, from, numbers)
		if err != nil {
			return err
		}
		for i := range listed {
			offsets[i] = listed[i].Offset
		}
	}
	if !c.reader.read(t, numbers, offsets) {
		return fmt.Errorf("consume %s: %w", topic, ErrClosed)
	}
	return nil
}

// Forget stops reading a topic's partitions; none named: all of them. What was fetched and not polled is dropped.
func (c *Client) Forget(topic string, partitions ...int32) { c.reader.forget(topic, partitions) }

// Poll returns what was fetched since the last Poll, waiting for something if there is nothing: then until the context
// ends. The records are the caller's. It may be called by several goroutines; each partition's records then come to one at
// a time, in order of the calls.
func (c *Client) Poll(ctx context.Context) Fetches {
	for {
		partitions, more := c.reader.collect()
		if len(partitions) > 0 {
			return Fetches{Partitions: partitions}
		}
		select {
		case <-more:
		case <-ctx.Done():
			return Fetches{err: fmt.Errorf("poll: %w", ctx.Err())}
		case <-c.closing.Done():
			return Fetches{err: fmt.Errorf("poll: %w", ErrClosed)}
		}
	}
}

// Records ranges over everything Poll returns, for ever: until the loop is left, or the context or the client ends, which
// comes as the last error. Errors of partitions come between the records, with a nil record; the loop may go on after them.
func (c *Client) Records(ctx context.Context) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		for {
			fetches := c.Poll(ctx)
			for i := range fetches.Partitions {
				p := &fetches.Partitions[i]
				for k := range p.Records {
					if !yield(&p.Records[k], nil) {
						return
					}
				}
				if p.Err != nil && !yield(nil, p.Err) {
					return
				}
			}
			if fetches.err != nil {
				yield(nil, fetches.err)
				return
			}
		}
	}
}
