package actors

import (
	"errors"
	"fmt"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// order is something the catalog's actor was asked. Like a request's, its completion is called by the first that completes
// it, and by no one after.
type order interface {
	// begin starts it, in the catalog's actor.
	begin(c *curator)
	// conclude completes it with what the catalog answered, in the catalog's actor.
	conclude(c *curator, r catalog.Result, err error)
	// refuse completes it anywhere else.
	refuse(err error)
}

type createOrder struct {
	command catalog.CreateTopic
	done    func(*catalog.Topic, error)
}

func (o *createOrder) begin(c *curator) { c.propose(o.command, o) }

// conclude waits for the topic's partitions here to open, and for those elsewhere to have leaders.
func (o *createOrder) conclude(c *curator, r catalog.Result, err error) {
	if err != nil {
		o.complete(r.Topic, err)
		return
	}
	c.log.Info("topic created", "topic", string(r.Topic.Name), "id", r.Topic.ID.String(), "partitions", len(r.Topic.Partitions))
	c.reconcile()
	c.later(c.limits.CreateWait, c.self, createOverdue{topic: r.Topic.ID})
	c.creating[r.Topic.ID] = append(c.creating[r.Topic.ID], creation{topic: r.Topic, order: o})
	c.complete(r.Topic.ID)
}

func (o *createOrder) complete(t *catalog.Topic, err error) {
	if done := o.done; done != nil {
		o.done = nil
		done(t, err)
	}
}

func (o *createOrder) refuse(err error) { o.complete(nil, err) }

type alterOrder struct {
	command catalog.AlterTopic
	done    func(*catalog.Topic, error)
}

func (o *alterOrder) begin(c *curator) { c.propose(o.command, o) }

// conclude has told the topic's partitions here, before it answers.
func (o *alterOrder) conclude(c *curator, r catalog.Result, err error) {
	if err == nil {
		c.log.Info("topic altered", "topic", string(r.Topic.Name), "id", r.Topic.ID.String(), "settings", r.Topic.Settings)
	}
	c.reconcile()
	o.complete(r.Topic, err)
}

func (o *alterOrder) complete(t *catalog.Topic, err error) {
	if done := o.done; done != nil {
		o.done = nil
		done(t, err)
	}
}

func (o *alterOrder) refuse(err error) { o.complete(nil, err) }

type deleteOrder struct {
	command catalog.DeleteTopic
	done    func(error)
}

func (o *deleteOrder) begin(c *curator) { c.propose(o.command, o) }

func (o *deleteOrder) conclude(c *curator, r catalog.Result, err error) {
	if err == nil {
		c.log.Info("topic deleted", "topic", string(r.Topic.Name), "id", r.Topic.ID.String())
	}
	c.reconcile()
	o.refuse(err)
}

func (o *deleteOrder) refuse(err error) {
	if done := o.done; done != nil {
		o.done = nil
		done(err)
	}
}

type producerOrder struct {
	done func(id.Producer, int16, error)
}

// begin gives the next id of the block in hand, or waits for another block. A block that a crash cuts off is lost: no id
// comes twice.
func (o *producerOrder) begin(c *curator) {
	c.wanted = append(c.wanted, o)
	c.giveProducers()
}

func (o *producerOrder) conclude(*curator, catalog.Result, error) {}

func (o *producerOrder) complete(p id.Producer, err error) {
	if done := o.done; done != nil {
		o.done = nil
		done(p, 0, err)
	}
}

func (o *producerOrder) refuse(err error) { o.complete(0, err) }

// reserveOrder gets a block of producer ids. Those who wait for it stand in curator.wanted.
type reserveOrder struct{}

func (o reserveOrder) begin(c *curator) {
	c.propose(catalog.ReserveProducers{Count: c.limits.ProducerBlock}, o)
}

func (reserveOrder) conclude(c *curator, r catalog.Result, err error) {
	c.reserving = false
	if err != nil {
		if errors.Is(err, partitions.ErrOutcomeUnknown) { // nobody was given an id of that block, and nobody will be
			err = fmt.Errorf("%w: %v", partitions.ErrNotReady, err)
		}
		wanted := c.wanted
		c.wanted = nil
		for _, w := range wanted {
			c.safely(func() { w.refuse(fmt.Errorf("reserve producer ids: %w", err)) })
		}
		return
	}
	c.nextProducer, c.endProducer = r.First, r.First+id.Producer(r.Count)
	c.giveProducers()
}

func (reserveOrder) refuse(error) {}

// forgetOrder tells the catalog that doomed replicas are erased.
type forgetOrder struct{ replicas []id.Replica }

func (o forgetOrder) begin(c *curator) { c.propose(catalog.Forget{Replicas: o.replicas}, o) }

func (o forgetOrder) conclude(c *curator, _ catalog.Result, err error) {
	c.forgetting = false
	if err != nil {
		c.later(c.limits.RestartDelayMost, c.self, retry{})
		return
	}
	for _, r := range o.replicas {
		delete(c.erasing, r)
	}
	c.erased = c.erased[len(o.replicas):]
	c.reconcile()
	c.forget()
}

func (forgetOrder) refuse(error) {}

// bootstrapOrder begins the cluster.
type bootstrapOrder struct{ command catalog.Bootstrap }

func (o bootstrapOrder) begin(c *curator) { c.propose(o.command, o) }

func (o bootstrapOrder) conclude(c *curator, _ catalog.Result, err error) {
	if err != nil {
		c.fail(fmt.Errorf("begin cluster %v: %w", o.command.Cluster, err))
		return
	}
	c.reconcile()
	c.ready()
}

func (bootstrapOrder) refuse(error) {}

// decision brings what the catalog's partition answered back to the catalog's actor.
type decision struct {
	order  order
	answer partitions.ProduceAnswer
}

func (d *decision) result() catalog.Result {
	r, _ := d.answer.Result.(catalog.Result)
	return r
}

func (d *decision) begin(c *curator) {
	result, err := d.result(), d.answer.Err
	if err == nil && c.await(d, result) {
		return
	}
	if err == nil {
		err = result.Err
	}
	if t := result.Topic; t != nil && len(t.Partitions) == 0 { // from another broker: it names the topic only
		if known := c.board.fold.Load().Topics[t.ID]; known != nil {
			result.Topic = known
		} else if _, deletes := d.order.(*deleteOrder); !deletes && err == nil {
			err = fmt.Errorf("topic %q was deleted meanwhile: %w", t.Name, partitions.ErrUnknownTopic)
		}
	}
	d.order.conclude(c, result, err)
}

func (d *decision) conclude(*curator, catalog.Result, error) {}

func (d *decision) refuse(err error) {
	if d.answer.Err == nil {
		err = fmt.Errorf("%w: %v", partitions.ErrOutcomeUnknown, err)
	} else {
		err = d.answer.Err
	}
	d.order.refuse(err)
}
