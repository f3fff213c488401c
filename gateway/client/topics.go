package client

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

// topics knows the partitions of the topics in use. Looking one up takes no lock.
type topics struct {
	client *Client
	known  atomic.Pointer[map[string]*topic] // replaced, never changed

	mu      sync.Mutex // held by whoever replaces known
	cluster id.Cluster // whose catalog it is
	catalog id.Offset  // the furthest that any broker has told to know the catalog: what one behind that says is old
}

// topic is one life of a topic's name.
type topic struct {
	name  string
	id    id.TopicID
	lanes []*lane // by partition
	// sticky is where records without a key go until the batch there is closed.
	sticky atomic.Int32
	asking atomic.Bool // a refresh is under way

	mu     sync.Mutex
	leads  []leading // by partition
	looked time.Time // when a broker told of it last, or was asked again
	// why tells that this life of the name is over.
	why atomic.Pointer[protocol.Error]
}

func newTopics(c *Client) *topics {
	t := &topics{client: c}
	t.known.Store(&map[string]*topic{})
	return t
}

// get returns a topic, asking a broker if it is not known.
func (t *topics) get(ctx context.Context, name string) (*topic, error) {
	if known := (*t.known.Load())[name]; known != nil {
		return known, nil
	}
	return t.learn(ctx, name)
}

// learn asks a broker about a topic. What was known of the same life of the name keeps its lanes; of another, they end.
func (t *topics) learn(ctx context.Context, name string) (*topic, error) {
	action := "look up topic " + name
	answer, err := t.ask(ctx, action, name)
	if err != nil {
		return nil, err
	}
	for i := range answer.Topics {
		if about := &answer.Topics[i]; about.Topic == name {
			if about.Err != nil {
				if about.Err.Code == protocol.CodeUnknownTopic {
					t.forget(name, 0, about.Err)
				}
				return nil, explain(action, about.Err)
			}
			t.client.cluster.learn(answer.Nodes)
			return t.merge(about, addresses(answer.Nodes)), nil
		}
	}
	return nil, explain(action, protocol.NewError(protocol.CodeUnknownTopic, "the broker does not mention topic %s", name))
}

// ask asks a broker about a topic: another one, while the answer is older than what a broker has told before, or the broker
// does not know whether it is.
func (t *topics) ask(ctx context.Context, action, name string) (*protocol.MetadataResponse, error) {
	deadline := time.Now().Add(t.client.settings.requestTimeout)
	for attempt := 0; ; attempt++ {
		var answer protocol.MetadataResponse
		err := t.client.cluster.persist(ctx, action, &protocol.MetadataRequest{Topics: []string{name}}, &answer, askAgain)
		if err != nil {
			return &answer, err
		}
		behind := undecided(&answer)
		if t.fresh(answer.Cluster, answer.Catalog) && behind == nil {
			return &answer, nil
		}
		if behind == nil {
			behind = protocol.NewError(protocol.CodeNotReady, "the brokers that answer are behind with the catalog")
		}
		t.client.cluster.turn()
		pause := backoff(attempt, nil)
		if time.Now().Add(pause).After(deadline) || wait(ctx, t.client.closing, pause) != nil {
			return nil, explain(action, behind)
		}
	}
}

// undecided returns why a broker does not tell of a topic now, though it may later.
func undecided(answer *protocol.MetadataResponse) *protocol.Error {
	for i := range answer.Topics {
		if err := answer.Topics[i].Err; err != nil && err.Retriable {
			return err
		}
	}
	return nil
}

// fresh takes how far a broker knows the catalog of its cluster, and tells whether no other was further.
func (t *topics) fresh(cluster id.Cluster, catalog id.Offset) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cluster != cluster { // there is another one at this address now
		t.cluster, t.catalog = cluster, catalog
	}
	t.catalog = max(t.catalog, catalog)
	return catalog == t.catalog
}

// reached takes how far the catalog is at least.
func (t *topics) reached(catalog id.Offset) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.catalog = max(t.catalog, catalog)
}

func addresses(nodes []protocol.MetadataNode) map[id.Node]string {
	at := make(map[id.Node]string, len(nodes))
	for _, n := range nodes {
		at[n.Node] = n.Gateway
	}
	return at
}

func (t *topics) merge(about *protocol.MetadataTopic, at map[id.Node]string) *topic {
	n := len(about.Partitions)
	t.mu.Lock()
	defer t.mu.Unlock()
	old := (*t.known.Load())[about.Topic]
	same := old != nil && old.id == about.TopicID
	if same && len(old.lanes) == n {
		old.hear(about.Partitions, at)
		return old
	}
	merged := &topic{name: about.Topic, id: about.TopicID, lanes: make([]*lane, n), leads: make([]leading, n)}
	if same {
		old.hear(about.Partitions, at) // readers and lanes may hold on to it
		old.mu.Lock()
		copy(merged.leads, old.leads)
		old.mu.Unlock()
	}
	merged.hear(about.Partitions, at)
	for i := range merged.lanes {
		if same && i < len(old.lanes) {
			merged.lanes[i] = old.lanes[i]
			continue
		}
		merged.lanes[i] = newLane(t.client, merged, int32(i))
	}
	t.replace(func(next map[string]*topic) { next[about.Topic] = merged })
	if old != nil && !same {
		endLanes(old, protocol.NewError(protocol.CodeTopicRecreated, "topic %s was deleted and created again", old.name))
	}
	return merged
}

// forget drops a topic, if the life of it that is known is the one meant (0: whichever), and ends its lanes.
func (t *topics) forget(name string, life id.TopicID, why *protocol.Error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := (*t.known.Load())[name]
	if old == nil || (life != 0 && old.id != life) {
		return
	}
	t.replace(func(next map[string]*topic) { delete(next, name) })
	endLanes(old, why)
}

// gone is forget for what a broker said.
func (t *topics) gone(name string, life id.TopicID, err error) {
	var refusal *protocol.Error
	if errors.As(err, &refusal) {
		t.forget(name, life, refusal)
	}
}

// refresh asks about a known topic again, beside the caller; one question at a time.
func (t *topics) refresh(name string) {
	known := (*t.known.Load())[name]
	if known == nil || !known.asking.CompareAndSwap(false, true) {
		return
	}
	known.mu.Lock()
	known.looked = time.Now()
	known.mu.Unlock()
	started := t.client.run(func() {
		defer known.asking.Store(false)
		// An error changes nothing: who needs the topic keeps trying with what is known, and asks again.
		_, _ = t.learn(t.client.closing, name)
	})
	if !started {
		known.asking.Store(false)
	}
}

// watch begins to ask who leads what is led from an address, as far as is known. What it returns tells whether another leads
// any of that by now, and asks again.
func (t *topics) watch(address string) (deposed func() bool) {
	led := map[string][]int32{} // by topic
	for name, topic := range *t.known.Load() {
		for n := range topic.lanes {
			if topic.leader(int32(n)) == address {
				led[name] = append(led[name], int32(n))
			}
		}
	}
	look := func() bool {
		for name, numbers := range led { // any order
			t.refresh(name)
			topic := (*t.known.Load())[name]
			if topic != nil && slices.ContainsFunc(numbers, func(n int32) bool {
				leader := topic.leader(n)
				return leader != "" && leader != address
			}) {
				return true
			}
		}
		return false
	}
	look()
	return look
}

func (t *topics) replace(change func(map[string]*topic)) {
	known := *t.known.Load()
	next := make(map[string]*topic, len(known)+1)
	for name, topic := range known {
		next[name] = topic
	}
	change(next)
	t.known.Store(&next)
}

func endLanes(t *topic, why *protocol.Error) {
	t.why.Store(why)
	for _, l := range t.lanes {
		l.end(why)
	}
}

// lanes calls f with every lane there is.
func (t *topics) lanes(f func(*lane)) {
	for _, topic := range *t.known.Load() {
		for _, l := range topic.lanes {
			f(l)
		}
	}
}
