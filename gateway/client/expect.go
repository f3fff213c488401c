package client

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"troupe/gateway/protocol"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// expects holds, for each partition that ProduceExpect was called for, what makes its sends recognisable. They have nothing
// to do with the lanes': a batch that is refused because the partition ends elsewhere leaves no gap in anybody's sequence.
type expects struct {
	mu   sync.Mutex
	each map[id.Partition]*expect
}

// expect is one partition's. Whoever holds its token has the one batch in flight.
type expect struct {
	token    chan struct{} // capacity 1
	identity identity      // zero: to be asked for
	sequence int32         // of the next record
}

func (x *expects) of(p id.Partition) *expect {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.each == nil {
		x.each = make(map[id.Partition]*expect)
	}
	if x.each[p] == nil {
		x.each[p] = &expect{token: make(chan struct{}, 1)}
	}
	return x.each[p]
}

// ProduceExpect appends records to a partition as one batch, all or none, if the partition ends at offset end, and waits
// until that is settled: optimistic concurrency, for those who decide by what they have read. Each record appended has its
// Partition and Offset. If the partition ends elsewhere the error's code is OFFSET_MISMATCH, and the details of its Cause
// tell where (LogEnd).
//
// It is sent again until it is answered, the context ends or the delivery timeout is over, is always acknowledged by the
// quorum, and is recognised when it was appended by a send whose answer got lost. Calls for one partition go one after the
// other, beside the batches of Produce.
func (c *Client) ProduceExpect(ctx context.Context, topic string, partition int32, end id.Offset, records ...*Record) error {
	action := fmt.Sprintf("produce to %s/%d at offset %d", topic, partition, end)
	t, err := c.topics.get(ctx, topic)
	if err != nil {
		return err
	}
	if partition < 0 || int(partition) >= len(t.lanes) {
		return explain(action, protocol.NewError(protocol.CodeUnknownTopic, "topic %s has %d partitions", topic, len(t.lanes)))
	}
	if end < 0 {
		return explain(action, protocol.NewError(protocol.CodeInvalidRequest, "no partition ends at %d", end))
	}
	builder := batch.NewBuilder(c.settings.codec)
	for _, r := range records {
		builder.Append(timestamp(r.Timestamp), r.Key, r.Value, r.Headers)
		if builder.Size() > c.settings.bufferBytes {
			return explain(action, protocol.NewError(protocol.CodeBatchTooLarge,
				"the records are larger than the buffer of %d bytes; see WithBufferBytes", c.settings.bufferBytes))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.settings.deliveryTimeout)
	defer cancel()
	x := c.expects.of(id.Partition{Topic: t.id, Number: partition})
	select {
	case x.token <- struct{}{}:
		defer func() { <-x.token }()
	case <-ctx.Done():
		return explain(action, ctx.Err())
	case <-c.closing.Done():
		return explain(action, ErrClosed)
	}
	send := expected{client: c, expect: x, topic: t, number: partition, end: end, builder: builder}
	if err := send.persist(ctx, action); err != nil {
		return err
	}
	for i, r := range records {
		r.Partition, r.Offset = partition, end+id.Offset(i)
	}
	return nil
}

// expected is one call of ProduceExpect that has its turn.
type expected struct {
	client  *Client
	expect  *expect
	topic   *topic
	number  int32
	end     id.Offset
	builder *batch.Builder
	// maybe is set when a send ended without the broker's word that it is not done.
	maybe bool
}

// persist sends the batch until its fate is known, or there is no more time.
func (s *expected) persist(ctx context.Context, action string) error {
	for attempt := 0; ; attempt++ {
		err, before := s.once(ctx), s.maybe
		s.maybe = s.maybe || mayHaveHappened(err)
		var refusal *protocol.Error
		errors.As(err, &refusal)
		switch {
		case err == nil:
			s.expect.sequence = batch.NextSequence(s.expect.sequence, int32(s.builder.Count()))
			return nil
		case errors.Is(err, protocol.CodeOffsetMismatch) && (!s.maybe || refusal.Details.LogEnd > s.end):
			// An earlier send would have been recognised, and one still on its way is refused too: ends only rise.
			return explain(action, err)
		case s.again(err, refusal, before):
			if wait(ctx, s.client.closing, backoff(attempt, err)) == nil {
				continue
			}
		}
		s.expect.identity = identity{} // what is still on its way must meet no other batch of its sequence
		switch {
		case s.maybe:
			return unknownOutcome(action, err)
		case topicIsGone(err):
			s.client.topics.gone(s.topic.name, s.topic.id, err)
		case !refused(err) && !errors.Is(err, errBuild) && !errors.Is(err, ErrClosed):
			err = fmt.Errorf("%w: %w", ErrDeliveryTimeout, err)
		}
		return explain(action, err)
	}
}

// again tells whether another send may do better. A partition that has forgotten the producer gets a new one, unless an
// earlier send may be in the log under the old one.
func (s *expected) again(err error, refusal *protocol.Error, before bool) bool {
	switch {
	case errors.Is(err, errBuild), errors.Is(err, ErrClosed):
		return false
	case refusal == nil, refusal.Retriable, refusal.Code == protocol.CodeOutcomeUnknown:
		return true
	case refusal.Code == protocol.CodeUnknownProducer && !before:
		s.expect.identity, s.maybe = identity{}, false
		return true
	}
	return false
}

// errBuild marks batches that cannot be built, or that no broker would take.
var errBuild = errors.New("not a batch")

// once sends the batch once and waits for the answer.
func (s *expected) once(ctx context.Context) error {
	x := s.expect
	if x.identity == (identity{}) {
		fresh, err := s.client.newIdentity(ctx)
		if err != nil {
			return fmt.Errorf("%w: %w", errNotSent, err)
		}
		x.identity, x.sequence = fresh, 0
	}
	data, err := s.builder.Build(x.identity.producer, x.identity.epoch, x.sequence)
	if err != nil {
		return fmt.Errorf("%w: %w", errBuild, err)
	}
	var answer protocol.ProduceResponse
	request := &protocol.ProduceRequest{Topic: s.topic.name, TopicID: s.topic.id, Acks: protocol.AcksQuorum,
		Partitions: []protocol.ProducePartition{{Partition: s.number, Batch: data, ExpectEnd: s.end}}}
	err = s.client.cluster.request(ctx, forProduce, s.topic.leader(s.number), request, &answer)
	var term id.Term
	switch {
	case err != nil:
	case len(answer.Partitions) != 1:
		err = fmt.Errorf("the answer tells of %d partitions: %w", len(answer.Partitions), errLost)
	case answer.Partitions[0].Err == nil, answer.Partitions[0].Err.Code == protocol.CodeDuplicate:
		term = answer.Partitions[0].Term
	default:
		err = answer.Partitions[0].Err
	}
	s.client.topics.heed(s.topic, s.number, term, err)
	return err
}
