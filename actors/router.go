package actors

import (
	"fmt"
	"sync/atomic"

	"troupe/membership"
	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// Router takes clients' requests to the actors that answer them. Its methods never block and may be called from any
// goroutine; every completion is called exactly once, on any goroutine, possibly before the method returns. Completions
// must not block.
type Router struct {
	stage   *stage
	board   *board
	orders  *door[order]
	cluster func() partitions.ClusterView
	members membership.Feed
}

// Catalog returns the newest state this broker has applied and routes by. It is immutable.
func (r *Router) Catalog() *catalog.State { return r.board.view.Load().state }

// Cluster describes the cluster as this broker sees it.
func (r *Router) Cluster() partitions.ClusterView { return r.cluster() }

// Now returns the broker's clock.
func (r *Router) Now() id.Timestamp { return r.stage.seams.Clock.Now() }

// CreateTopic proposes a topic. Without placements it goes where there is most room among the brokers seen from here; At is
// set here. It completes when this
// broker routes to the topic's partitions, each of those here has opened or has a problem that its status shows, and all have
// leaders, or have had time to elect them. Errors:
// partitions.ErrDiskFull, catalog.ErrTopicExists (with the topic that exists), ErrInvalidName, ErrInvalidPartitions, ErrInvalidSetting,
// ErrTooFewNodes, and those of a produce to the catalog's partition.
func (r *Router) CreateTopic(c catalog.CreateTopic, done func(*catalog.Topic, error)) {
	if err := c.Validate(); err != nil {
		done(nil, err)
		return
	}
	if err := r.stage.room.err(); err != nil {
		done(nil, err)
		return
	}
	if len(c.Placements) == 0 {
		seen := &outlook{state: r.Catalog(), view: r.members.View(), now: r.Now(), linked: r.stage.linked}
		var err error
		if c.Placements, err = seen.placements(c); err != nil {
			done(nil, err)
			return
		}
	}
	c.At = r.Now()
	r.order(&createOrder{command: c, done: done})
}

// AlterTopic proposes other settings for a topic. It completes when this broker knows them and its partitions have been told.
// Errors: partitions.ErrUnknownTopic, catalog.ErrInvalidName for a topic of the broker's own, catalog.ErrInvalidSetting, and
// those of a produce to the catalog's partition.
func (r *Router) AlterTopic(c catalog.AlterTopic, done func(*catalog.Topic, error)) {
	if err := c.Validate(); err != nil {
		done(nil, err)
		return
	}
	r.order(&alterOrder{command: c, done: done})
}

// DeleteTopic proposes to delete a topic. It completes when this broker no longer routes to it; its bytes go later.
// Errors: partitions.ErrUnknownTopic, catalog.ErrInvalidName for a topic of the broker's own.
func (r *Router) DeleteTopic(topic id.TopicID, done func(error)) {
	r.order(&deleteOrder{command: catalog.DeleteTopic{Topic: topic}, done: done})
}

// InitProducer gives out a producer id that nobody has had, with epoch 0.
func (r *Router) InitProducer(done func(id.Producer, int16, error)) {
	r.order(&producerOrder{done: done})
}

func (r *Router) order(o order) {
	if err := r.orders.enter(o); err != nil {
		o.refuse(err)
	}
}

// Produce appends a batch to a partition.
func (r *Router) Produce(p id.Partition, q partitions.Produce, done func(partitions.ProduceAnswer)) {
	a := r.find(p)
	if a.leading() && a.route.flying.Load() == 0 {
		q.Request = a.next()
		a.ask(&produceRequest{Produce: q, done: done})
		return
	}
	r.travel(p, &produceRequest{Produce: q, done: done})
}

// Fetch reads from a partition. The function it returns ends the wait of a parked fetch; it may be called at any time,
// repeatedly.
func (r *Router) Fetch(p id.Partition, q partitions.Fetch, done func(partitions.FetchAnswer)) (stop func()) {
	a := r.find(p)
	if !a.leading() {
		return r.travel(p, &fetchRequest{Fetch: q, done: done})
	}
	q.Request = a.next()
	a.ask(&fetchRequest{Fetch: q, done: done})
	var once atomic.Bool
	return func() {
		if !once.Swap(true) {
			_ = a.door.pass(giveUp{fetch: q.Request}) // a closed door has refused the fetch itself
		}
	}
}

// ListOffsets asks a partition for an offset.
func (r *Router) ListOffsets(p id.Partition, q partitions.ListOffsets, done func(partitions.OffsetAnswer)) {
	r.travel(p, &offsetsRequest{ListOffsets: q, done: done})
}

// DeleteRecords moves a partition's log start up. The broker's own partitions keep theirs: catalog.ErrInvalidName.
func (r *Router) DeleteRecords(p id.Partition, q partitions.DeleteRecords, done func(partitions.DeleteAnswer)) {
	d := &deleteRequest{DeleteRecords: q, done: done}
	if p.Topic == catalog.Partition().Topic {
		d.refuse(fmt.Errorf("partition %v is the broker's own: %w", p, catalog.ErrInvalidName))
		return
	}
	r.travel(p, d)
}

// Describe tells how a partition is, as its leader sees it. One that nobody can be asked about is described as stopped, with
// the reason.
func (r *Router) Describe(p id.Partition, done func(partitions.Status)) {
	r.travel(p, &describeRequest{partition: p, done: done})
}

// Leader returns the broker that leads a partition, as far as this one has heard, and the highest term it has heard of; 0
// where it has heard nothing.
func (r *Router) Leader(p id.Partition) (id.Node, id.Term) { return r.stage.leaders.leader(p) }

func (r *Router) find(p id.Partition) *address { return r.board.view.Load().table[p] }

func unknown(p id.Partition) error {
	return fmt.Errorf("partition %v: %w", p, partitions.ErrUnknownTopic)
}
