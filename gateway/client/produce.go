package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// Produce hands over a record and returns as soon as it lies in a batch; callback, which may be nil, is called once when
// its fate is settled: with nil when it is delivered as WithAcks says. A full buffer makes Produce wait until the context
// ends. An error returned by Produce itself means that the record was not taken, and callback will not be called.
//
// Callbacks of one partition are called in order, one at a time; one that blocks holds up its partition. Inside a callback
// call TryProduce, not Produce.
func (c *Client) Produce(ctx context.Context, r *Record, callback func(*Record, error)) error {
	_, err := c.produce(ctx, r, callback, true)
	return err
}

// TryProduce is Produce that returns ErrBufferFull instead of waiting for room. It waits only for a topic's first record,
// to learn its partitions.
func (c *Client) TryProduce(ctx context.Context, r *Record, callback func(*Record, error)) error {
	_, err := c.produce(ctx, r, callback, false)
	return err
}

func (c *Client) produce(ctx context.Context, r *Record, callback func(*Record, error), patient bool) (*lane, error) {
	size := batch.RecordBound(r.Key, r.Value, r.Headers)
	if size > c.settings.bufferBytes {
		return nil, explain("produce to "+r.Topic, protocol.NewError(protocol.CodeBatchTooLarge,
			"a record of %d bytes is larger than the buffer of %d; see WithBufferBytes", size, c.settings.bufferBytes))
	}
	if patient {
		if err := c.budget.take(ctx, c.closing, int64(size), c.hurry); err != nil {
			return nil, fmt.Errorf("produce to %s: buffer of %d bytes is full: %w", r.Topic, c.settings.bufferBytes, err)
		}
	} else if !c.budget.try(int64(size)) {
		return nil, fmt.Errorf("produce to %s: %d bytes: %w", r.Topic, c.settings.bufferBytes, ErrBufferFull)
	}
	l, err := c.place(ctx, r, callback, size)
	if err != nil {
		c.budget.release(int64(size))
	}
	return l, err
}

// place puts a record into its partition's batch. A lane that has ended belongs to a topic that is no more: then the name
// is looked up again.
func (c *Client) place(ctx context.Context, r *Record, callback func(*Record, error), size int) (*lane, error) {
	for {
		t, err := c.topics.get(ctx, r.Topic)
		if err != nil {
			return nil, err
		}
		number, err := t.route(r)
		if err != nil {
			return nil, err
		}
		l := t.lanes[number]
		if err = l.append(t, r, callback, size); !errors.Is(err, errEnded) {
			return l, err
		}
	}
}

// route chooses the partition of a record.
func (t *topic) route(r *Record) (int32, error) {
	n := int32(len(t.lanes))
	switch {
	case r.pinned && (r.Partition < 0 || r.Partition >= n), n == 0:
		return 0, explain("produce to "+t.name, protocol.NewError(protocol.CodeUnknownTopic,
			"topic %s has %d partitions, and no number %d", t.name, n, r.Partition))
	case r.pinned:
		return r.Partition, nil
	case r.Key != nil:
		return batch.PartitionFor(r.Key, n), nil
	}
	return t.sticky.Load() % n, nil
}

// moveOn lets records without a key go to the next partition, once for each batch closed where they went until now.
func (t *topic) moveOn(from int32) {
	t.sticky.CompareAndSwap(from, (from+1)%int32(len(t.lanes)))
}

// hurry makes every lane send what it has.
func (c *Client) hurry() { c.topics.lanes((*lane).nudge) }

// ProduceSync produces records and waits until all of them are settled. They do not linger. Each delivered record has its
// Offset; the error is that of the first record that failed, if any. When the context ends first, the records are still
// under way, belong to the client until then, and the error is ErrOutcomeUnknown.
func (c *Client) ProduceSync(ctx context.Context, records ...*Record) error {
	var (
		mu     sync.Mutex
		failed error
		left   = len(records)
		done   = make(chan struct{})
	)
	settle := func(n int, err error) {
		mu.Lock()
		defer mu.Unlock()
		if failed == nil {
			failed = err
		}
		if left -= n; left == 0 {
			close(done)
		}
	}
	if left == 0 {
		return nil
	}
	touched := make(map[*lane]struct{}, 1)
	for i, r := range records {
		l, err := c.produce(ctx, r, func(_ *Record, err error) { settle(1, err) }, true)
		if err != nil {
			settle(len(records)-i, err)
			break
		}
		touched[l] = struct{}{}
	}
	for l := range touched {
		l.hurry()
	}
	select {
	case <-done:
		return failed
	case <-ctx.Done():
		return unknownOutcome("produce", ctx.Err())
	}
}

// Flush sends what lingers and waits until every record handed over before it is settled, or the context ends. What became
// of the records, their callbacks tell.
func (c *Client) Flush(ctx context.Context) error {
	var settled []<-chan struct{}
	c.topics.lanes(func(l *lane) {
		if done := l.hurry(); done != nil {
			settled = append(settled, done)
		}
	})
	for _, done := range settled {
		select {
		case <-done:
		case <-ctx.Done():
			return fmt.Errorf("flush: %w", ctx.Err())
		}
	}
	return nil
}

// identity is what makes sends recognisable.
type identity struct {
	producer id.Producer
	epoch    int16
}

var anonymous = identity{producer: batch.NoProducer, epoch: batch.NoEpoch}

// identitySource gives the client's identity, which all its lanes share until one has to leave it.
type identitySource struct {
	mu     sync.Mutex
	common identity // zero: not asked for yet
}

func (c *Client) newIdentity(ctx context.Context) (identity, error) {
	var answer protocol.InitProducerResponse
	if err := c.cluster.request(ctx, forCalls, "", &protocol.InitProducerRequest{}, &answer); err != nil {
		return identity{}, err
	}
	return identity{answer.Producer, answer.Epoch}, nil
}

func (c *Client) commonIdentity(ctx context.Context) (identity, error) {
	c.identity.mu.Lock()
	defer c.identity.mu.Unlock()
	if c.identity.common.producer == 0 {
		fresh, err := c.newIdentity(ctx)
		if err != nil {
			return identity{}, err
		}
		c.identity.common = fresh
	}
	return c.identity.common, nil
}

func timestamp(t time.Time) id.Timestamp {
	if t.IsZero() {
		t = time.Now()
	}
	return id.Timestamp(t.UnixMilli())
}
