package gateway

import (
	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// Broker is what the gateway needs from the rest of the broker; actors.Router implements it.
//
// No method blocks. Each takes a completion that is called exactly once, on any goroutine, possibly before the method
// returns; a completion must not block. The Request numbers inside requests are the implementation's: callers leave them 0.
type Broker interface {
	// Catalog returns the newest state this broker has applied; it is immutable.
	Catalog() *catalog.State
	// Refresh completes when Catalog() shows at least what had been decided in the cluster when this was called. An error says
	// that this cannot be known: what the catalog does not show may be there.
	Refresh(done func(error))
	// Cluster describes the cluster as this broker sees it.
	Cluster() partitions.ClusterView
	// Now returns the broker's clock, against which Fetch.Until is measured.
	Now() id.Timestamp

	// CreateTopic, AlterTopic, DeleteTopic and InitProducer are proposed to the catalog; the completion comes from their apply, when
	// this broker's own Catalog() shows the change. Errors: catalog's and partitions' sentinels, wrapped.
	CreateTopic(c catalog.CreateTopic, done func(*catalog.Topic, error))
	AlterTopic(c catalog.AlterTopic, done func(*catalog.Topic, error))
	// Assign is proposed likewise; the partition moves after its completion.
	Assign(c catalog.Assign, done func(*catalog.Topic, error))
	// Recover is proposed when those that may hold a replica were asked; the survivor's broker carries it out after its completion.
	Recover(p id.Partition, from id.Node, done func(*catalog.Topic, error))
	// Compare holds a piece of a partition's replicas together. Each broker reads what is compared: a few MiB.
	Compare(p id.Partition, q partitions.Compare, done func(partitions.Comparison))
	DeleteTopic(topic id.TopicID, done func(error))
	// Drain empties a broker, or fills it again; Dismiss has it leave for ever. What moves does so after the completion.
	Drain(c catalog.Drain, done func(error))
	Dismiss(c catalog.Dismiss, done func(error))
	// Plan tells what is to move, and does nothing.
	Plan(done func(partitions.MovePlan, error))
	InitProducer(done func(id.Producer, int16, error))

	// Leader tells which node leads a partition and in which term, as far as this broker has heard; 0 and 0 if it has not. The
	// term stands without a node where the one that led in it is known to lead no more.
	Leader(p id.Partition) (id.Node, id.Term)

	// Produce, Fetch, ListOffsets, DeleteRecords and Describe go to a partition's leader. Errors stand in the answers.
	Produce(p id.Partition, r partitions.Produce, done func(partitions.ProduceAnswer))
	// Fetch returns a function that gives up the wait of a parked fetch: the completion then comes at once with what there
	// is. It may be called at any time, repeatedly.
	Fetch(p id.Partition, r partitions.Fetch, done func(partitions.FetchAnswer)) (giveUp func())
	ListOffsets(p id.Partition, r partitions.ListOffsets, done func(partitions.OffsetAnswer))
	DeleteRecords(p id.Partition, r partitions.DeleteRecords, done func(partitions.DeleteAnswer))
	Describe(p id.Partition, done func(partitions.Status))
}
