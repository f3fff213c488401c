package actors

import (
	"fmt"
	"maps"
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// forgetAtOnce bounds one Forget command.
const forgetAtOnce = 1000

// curator is the catalog's actor. It follows the state that __catalog-0 applies: it starts the partitions that live here,
// removes those that do not any more, and writes the routing table. It also proposes what clients ask of the catalog.
//
// Invariants: the table routes to exactly the tenants that are not leaving; state is the newest one reconciled, and its
// version only grows; an id of the block [nextProducer, endProducer) is given once.
type curator struct {
	*stage
	board   *board
	orders  *door[order]
	router  *Router
	cluster id.Cluster
	epoch   id.Epoch
	begins  bool // Options.Bootstrap
	limit   partitions.Limits
	node    *actor.PID
	self    *actor.PID
	own     *address // of the catalog's own partition; nil where this broker holds no replica of it
	taken   []order
	at      int

	awake    bool // the catalog is known, and this broker follows it
	sure     bool // what is known of it is the newest that can be had at the start
	tail     tail
	unseen   []*decision // concluded in the catalog, and not seen here yet
	refresh  refreshing
	state    *catalog.State
	tenants  map[id.Replica]*tenant
	creating map[id.TopicID][]creation

	wanted                    []*producerOrder // who waits for a producer id
	reserving                 bool
	nextProducer, endProducer id.Producer

	placing placing

	erasing    map[id.Replica]bool // erased or about to be, and still doomed in the catalog
	erasures   int                 // jobs on the pool
	erased     []id.Replica        // to be forgotten
	forgetting bool

	yielding map[id.Replica]bool // told to hand over what they lead, and not done with it
	yields   func()              // set while something yields: whom to tell

	started func(error) // told once
	halting func()      // set once the broker stops: whom to tell
	broken  error       // a bug met here: the actor only stops from there on
}

// creation is a topic whose partitions here open, and whose others find leaders.
type creation struct {
	topic *catalog.Topic
	order *createOrder
	// Of the first creation of a topic: how often its leaders were looked at, and whether that comes again by itself.
	looks   int
	looking bool
}

// Receive handles one message.
func (c *curator) Receive(ctx actor.Context) {
	defer c.rescue("catalog", c.crash)
	switch m := ctx.Message().(type) {
	case *actor.Started:
		c.self = ctx.Self()
		c.open()
		c.serve()
		c.startRounds()
	case *actor.Stopped:
		c.refuseAll()
	case wake:
		c.serve()
	case applied:
		c.advance()
	case news:
		c.hear(m.answer)
	case whole:
		c.restore(m)
	case tailAgain:
		c.ask()
	case overdue:
		c.overdue(m.decision)
	case electing:
		c.elect(m.topic)
	case newest:
		c.learn(m.answer)
	case outdated:
		c.expire()
	case settled:
		c.settle(m)
	case yield:
		c.yield(m.done)
	case yielded:
		c.yielded(m.address.replica)
	case gone:
		c.leave(m)
	case erased:
		c.erasures--
		c.erase(m.replica, m.err)
		c.finish()
	case createOverdue:
		c.announce(m.topic)
	case retry:
		c.sweep()
		c.forget()
	case reached:
		c.placing.reached[m.partition] = m.version
		c.report()
	case forgotten:
		c.placing.forgotten[m.replica] = true
		c.confess()
	case reported:
		c.hearOf(m)
	case rounds:
		c.rounds()
	case halt:
		c.halt(m.done)
	}
}

// open starts the catalog's own partition where this broker holds a replica of it, and else follows that of others.
func (c *curator) open() {
	here := c.seams.Disk.Replicas(catalog.Partition())
	switch {
	case len(here) > 0:
		c.hold(here[len(here)-1], []partitions.Placed{{Replica: catalog.FirstReplica, Node: c.stage.node}})
	case c.begins || c.seams.Peers == nil:
		c.hold(catalog.FirstReplica, []partitions.Placed{{Replica: catalog.FirstReplica, Node: c.stage.node}})
	default:
		c.sure = true
		c.follow()
	}
	c.publish(c.board.view.Load().state)
}

// hold starts a replica of the catalog's partition. What it applies is what this broker follows.
func (c *curator) hold(replica id.Replica, founders []partitions.Placed) {
	p := &plan{
		address: newAddress(c.stage, c.node, catalog.Partition(), replica), founders: founders, limits: c.limit,
		settings: (&catalog.Topic{}).Effective(), fold: func() partitions.Fold { return catalog.NewFold() },
		create: c.begins || replica != catalog.FirstReplica,
	}
	c.own = p.address
	shell := newPartition(c.stage, p, c.self)
	board, self := c.board, c.self
	shell.observe = func(fold partitions.Fold) {
		if board.observe(fold.(*catalog.Fold).State()) {
			c.send(self, applied{})
		}
	}
	c.tenants[replica] = &tenant{address: p.address}
	c.send(c.node, spawnOrder{partition: shell})
}

// serve begins what waits behind the door.
func (c *curator) serve() {
	if c.broken != nil {
		return
	}
	c.taken, c.at = c.orders.take(c.taken[:0], c.limits.RequestsATurn), 0
	for c.at < len(c.taken) {
		c.taken[c.at].begin(c)
		if c.taken == nil {
			return // the actor stopped for good, and everyone was refused
		}
		c.at++ // not before: whoever panics in between is refused with the rest
	}
	clear(c.taken)
	c.taken, c.at = c.taken[:0], 0
}

// propose writes a command to the catalog's log, wherever that is led. The order is concluded with its answer.
func (c *curator) propose(command catalog.Command, o order) {
	orders := c.orders
	c.router.Produce(catalog.Partition(), partitions.Produce{
		Batch: catalog.Batch(command, c.seams.Clock.Now()), Acks: partitions.AcksQuorum, ExpectEnd: partitions.NoExpectation,
	}, func(a partitions.ProduceAnswer) {
		d := &decision{order: o, answer: a}
		if err := orders.pass(d); err != nil {
			d.refuse(err)
		}
	})
}

// settle takes a partition's report that it serves, or does not.
func (c *curator) settle(m settled) {
	t := c.tenants[m.address.replica]
	if t == nil {
		return
	}
	t.settled = true
	if m.address != c.own {
		c.complete(m.address.partition.Topic)
		c.ready()
		return
	}
	c.sure = true
	switch {
	case m.serving:
		c.tail.wanted = false
	case c.seams.Peers == nil:
		c.fail(fmt.Errorf("%w: the catalog's partition: %s", partitions.ErrUnavailable, c.own.readProblem()))
		return
	default:
		c.follow() // its quorum, or this copy of it, is not there: what is known goes on, and others may know more
	}
	c.advance()
	c.ready()
}

// advance follows the newest state known, once that can be relied on as a beginning.
func (c *curator) advance() {
	if !c.sure || c.broken != nil {
		return
	}
	state := c.board.fold.Load()
	switch {
	case state != nil && state.Epoch != c.epoch && state.Epoch.Number() >= c.epoch.Number():
		c.crash(fmt.Errorf("the catalog is of epoch %v, this broker of epoch %v: %w", state.Epoch, c.epoch, partitions.ErrMisplaced))
		return
	case c.awake:
	case state == nil || state.Cluster == 0:
		if c.begins && c.own != nil && c.own.leading() {
			c.awake = true
			bootstrapOrder{catalog.Bootstrap{Cluster: c.cluster, Node: c.stage.node, At: c.seams.Clock.Now()}}.begin(c)
		}
		return
	case state.Cluster != c.cluster:
		c.crash(fmt.Errorf("the catalog belongs to cluster %v, this broker to %v: %w", state.Cluster, c.cluster, partitions.ErrMisplaced))
		return
	case state.Epoch.Number() < c.epoch.Number(): // a log that is replayed, and has not come to where the epoch begins
		sentence := fmt.Sprintf("the catalog known here is of epoch %v, and this broker waits for that of epoch %v", state.Epoch, c.epoch)
		c.board.problem.Store(&sentence)
		return
	default:
		c.awake = true
		c.board.problem.Store(nil)
	}
	c.reconcile()
	c.conclude()
	c.refreshed()
	c.ready()
}

// ready completes the start, once every partition has opened or has said why not.
func (c *curator) ready() {
	if c.started == nil || c.state == nil {
		return
	}
	for _, t := range c.tenants { // all or nothing: the order does not matter
		if !t.settled {
			return
		}
	}
	c.fail(nil)
}

// fail completes the start with an error, or nil.
func (c *curator) fail(err error) {
	if started := c.started; started != nil {
		c.started = nil
		c.safely(func() { started(err) })
	}
}

// complete ends the creations of a topic whose partitions here are all settled and whose others have leaders that this broker
// knows, or that is no more. Elections that take too long are not waited for: the topic is created.
func (c *curator) complete(topic id.TopicID) {
	created := c.creating[topic]
	if len(created) == 0 {
		return
	}
	for _, a := range created[0].topic.Partitions {
		for _, r := range a.Replicas {
			if t := c.tenants[r.Replica]; t != nil && !t.settled && !t.leaving {
				return
			}
		}
	}
	if c.leaderless(created[0]) {
		if !created[0].looking {
			created[0].looking = true
			c.later(tickTime, c.self, electing{topic: topic})
		}
		return
	}
	c.announce(topic)
}

// announce tells those who created a topic that it is there: its partitions can be used, or that takes long.
func (c *curator) announce(topic id.TopicID) {
	created := c.creating[topic]
	delete(c.creating, topic)
	for _, n := range created {
		c.safely(func() { n.order.complete(n.topic, nil) })
	}
}

// elect looks once more at the leaders of a topic that is being created.
func (c *curator) elect(topic id.TopicID) {
	if created := c.creating[topic]; len(created) > 0 {
		created[0].looks++
		created[0].looking = false
		c.complete(topic)
	}
}

// leaderless tells whether a created topic has partitions that nobody could use yet.
func (c *curator) leaderless(n creation) bool {
	if c.seams.Peers == nil || c.board.view.Load().state.Topics[n.topic.ID] == nil || n.looks >= c.limits.OpeningTicks {
		return false
	}
	for number := range n.topic.Partitions {
		if node, _ := c.leaders.leader(id.Partition{Topic: n.topic.ID, Number: int32(number)}); node == 0 {
			return true
		}
	}
	return false
}

// giveProducers serves those who wait from the block in hand, and asks for another when it is used up.
func (c *curator) giveProducers() {
	for len(c.wanted) > 0 && c.nextProducer < c.endProducer {
		o, p := c.wanted[0], c.nextProducer
		c.wanted = c.wanted[1:]
		c.nextProducer++
		c.safely(func() { o.complete(p, nil) })
	}
	if len(c.wanted) > 0 && !c.reserving {
		c.reserving = true
		reserveOrder{}.begin(c)
	}
}

// crash ends the actor's work for good: its state can no longer be trusted. Partitions that run go on.
func (c *curator) crash(err error) {
	if c.broken != nil {
		return
	}
	c.broken = err
	sentence := err.Error()
	c.board.problem.Store(&sentence)
	c.log.Error("the catalog's actor stopped for good", "reason", err,
		"next", "topics cannot be created, altered or deleted until the broker is restarted; report this, with the log around it")
	c.fail(err)
	c.refuseAll()
}

// refuseAll completes everyone who waits here.
func (c *curator) refuseAll() {
	why := errStopped
	if c.broken != nil {
		why = fmt.Errorf("%w: %v", partitions.ErrUnavailable, c.broken)
	}
	queued := append(slices.Clone(c.taken[c.at:]), c.orders.close(why)...)
	c.taken, c.at = nil, 0
	for _, w := range c.wanted {
		queued = append(queued, w)
	}
	for _, d := range c.unseen {
		queued = append(queued, d)
	}
	for _, o := range c.refresh.orders {
		queued = append(queued, o)
	}
	c.unseen, c.wanted, c.refresh.orders = nil, nil, nil
	for _, o := range queued {
		c.safely(func() { o.refuse(why) })
	}
	for _, topic := range slices.Sorted(maps.Keys(c.creating)) {
		for _, n := range c.creating[topic] {
			c.safely(func() { n.order.complete(n.topic, nil) }) // it is created: that is durable
		}
	}
	clear(c.creating)
}
