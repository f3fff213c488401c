package membership

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/serf"

	"troupe/partitions/id"
)

// Cluster is this broker's part in the gossip of its cluster, and the feed of Views that comes of it. All methods may be
// called from any goroutine.
//
// Serf's events are late, twice or never: they only say that it is time to look. One goroutine (watch) looks at all that
// serf knows, makes a View of it, tells it, and calls every function of the Options. Two others do what may take seconds:
// rejoin joins who is missing, spread gossips what changed about this broker.
type Cluster struct {
	options Options
	log     *slog.Logger
	keys    *memberlist.Keyring // nil without encryption
	serf    *serf.Serf
	began   time.Time

	view  atomic.Pointer[View] // of our cluster, as told
	known atomic.Pointer[View] // everyone whom serf has: what admission judges by

	look     chan struct{} // of one: there is something to see
	changed  chan struct{} // of one: self is another
	joined   chan struct{} // closed once the cluster's id is durable
	closing  chan struct{}
	flapping flapping       // watch's alone
	watched  sync.WaitGroup // watch, not rejoin: that may hang on a silent address, and ends by itself
	closed   sync.Once

	telling sync.Mutex // held while subscribers are told
	told    map[int]func(*View)
	next    int

	mu          sync.Mutex
	self        Member     // as others are to see it
	met         id.Cluster // adopted, though perhaps not durable yet; self.Cluster once it is
	metEpoch    id.Epoch   // likewise
	founding    bool       // Found is at work: no id may be adopted
	seeds       []seed
	waiting     string
	problems    []Problem
	reported    map[string]time.Time
	successions map[id.Node]*succession
	// When another start of this node was heard of elsewhere: last, and first without a pause of half the patience.
	heardFirst, heardLast time.Time
}

// What is kept of problems: more at one time are dropped, they come again. One that lasts is told again after remindTime.
const (
	mostProblems = 64
	mostReported = 1024
	remindTime   = time.Hour
)

// Open starts to gossip and to look for seeds. It returns ErrOption, ErrNoSecret, or what the network says.
func Open(ctx context.Context, o Options) (*Cluster, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	bind, port, err := bindAddress(ctx, o.Bind, len(o.Keys) > 0)
	if err != nil {
		return nil, err
	}
	tags, err := encodeTags(o.Self)
	if err != nil {
		return nil, err
	}
	c := &Cluster{
		options: o, log: o.Log, began: time.Now(), self: o.Self, met: o.Self.Cluster, metEpoch: o.Self.Epoch,
		look: make(chan struct{}, 1), changed: make(chan struct{}, 1), joined: make(chan struct{}), closing: make(chan struct{}),
		told: map[int]func(*View){}, reported: map[string]time.Time{}, successions: map[id.Node]*succession{},
	}
	c.options.Pace = o.Pace.withDefaults()
	c.self.Alive = true
	c.seeds, _ = resolve(ctx, o.Seeds)
	advertise, err := advertised(ctx, o.Advertise, bind, c.seeds)
	if err != nil {
		return nil, err
	}
	config := o.serfConfig(bind, port, advertise)
	if len(o.Keys) > 0 {
		if c.keys, err = memberlist.NewKeyring(nil, o.Keys[0]); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrOption, err)
		}
		if err := exchangeKeys(c.keys, o.Keys); err != nil {
			return nil, err
		}
		config.MemberlistConfig.Keyring = c.keys
	}
	events := make(chan serf.Event, 64)
	config.Tags, config.EventCh, config.Merge = tags, events, door{c}
	config.Logger = log.New(journal{log: o.Log, stranger: c.stranger}, "", 0)
	config.MemberlistConfig.Logger = config.Logger
	c.publish([]Member{c.self})
	c.known.Store(c.view.Load())
	if c.self.Cluster != 0 {
		close(c.joined)
	}
	if c.serf, err = serf.Create(config); err != nil {
		return nil, fmt.Errorf("gossip does not start on %s: %w", o.Bind, err)
	}
	c.start(events)
	return c, nil
}

// start reads the address that serf settled on, and sets everything going.
func (c *Cluster) start(events <-chan serf.Event) {
	own := c.serf.Memberlist().LocalNode()
	c.mu.Lock()
	c.self.Gossip = gossipAddress(own.Addr, own.Port)
	c.mu.Unlock()
	go c.listen(events)
	c.refresh()
	c.watched.Add(1)
	go c.watch()
	go c.rejoin()
	go c.spread()
}

// View returns the members of this broker's cluster as it sees them, itself included; while it has no cluster, those who
// have none either. It implements Feed.
func (c *Cluster) View() *View { return c.view.Load() }

// Admits is View.Admits over all that gossip knows: a member that flaps counts as alive while it is.
func (c *Cluster) Admits(node id.Node, incarnation, nonce uint64) error {
	return c.known.Load().Admits(node, incarnation, nonce)
}

// Subscribe has every view told from now on, beginning with the present one, before it returns. Views are told one after
// the other in the order of their versions; told must not block, nor subscribe or cancel.
func (c *Cluster) Subscribe(told func(*View)) (cancel func()) {
	c.telling.Lock()
	defer c.telling.Unlock()
	number := c.next
	c.next++
	c.told[number] = told
	told(c.view.Load())
	return func() {
		c.telling.Lock()
		defer c.telling.Unlock()
		delete(c.told, number)
	}
}

// publish makes a view of the members, unless it would be like the present one, and tells it.
func (c *Cluster) publish(members []Member) {
	c.telling.Lock()
	defer c.telling.Unlock()
	version := uint64(1)
	if present := c.view.Load(); present != nil {
		version = present.Version() + 1
	}
	v := NewView(version, members)
	if present := c.view.Load(); present != nil && present.same(v) {
		return
	}
	c.view.Store(v)
	for _, told := range c.told {
		told(v)
	}
}

// Joined is closed once this broker belongs to a cluster and its id is durable.
func (c *Cluster) Joined() <-chan struct{} { return c.joined }

// ID returns the id of the cluster, 0 until Joined is closed.
func (c *Cluster) ID() id.Cluster {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.self.Cluster
}

// Gossip returns the address under which others reach this broker's gossip.
func (c *Cluster) Gossip() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.self.Gossip
}

// Waiting tells people what this broker waits for before it belongs to a cluster. It is empty once it does.
func (c *Cluster) Waiting() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.self.Cluster != 0 {
		return ""
	}
	return c.waiting
}

// SetCatalog tells the others whether this broker holds a replica of the catalog. They know soon after it returns.
func (c *Cluster) SetCatalog(holds bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.self.Catalog != holds {
		c.self.Catalog = holds
		signal(c.changed)
		signal(c.look)
	}
}

// SetAddresses tells the others where clients and brokers reach this one, now that it is known; empty: nowhere yet. It
// returns ErrOption for what is no address, or too long a one.
func (c *Cluster) SetAddresses(gateway, peer string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.self
	m.Gateway, m.Peer = gateway, peer
	if err := checkTexts(m); err != nil {
		return fmt.Errorf("%w: %w", ErrOption, err)
	}
	if c.self != m {
		c.self = m
		signal(c.changed)
		signal(c.look)
	}
	return nil
}

// SetKeys exchanges the gossip keys: all are accepted from now on, and the first is used. To rotate a secret, every broker
// first accepts the new one, then every broker uses it, then every broker drops the old one. Gossip that was opened without
// a key stays without.
func (c *Cluster) SetKeys(keys [][]byte) error {
	switch {
	case c.keys == nil && len(keys) == 0:
		return nil
	case c.keys == nil:
		return fmt.Errorf("gossip was opened without a secret; start the broker again to give it one: %w", ErrOption)
	case len(keys) == 0:
		return fmt.Errorf("no key is left: %w", ErrNoSecret)
	}
	for _, key := range keys {
		if len(key) != KeyBytes {
			return fmt.Errorf("a gossip key has %d bytes, not %d: %w", len(key), KeyBytes, ErrOption)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return exchangeKeys(c.keys, keys)
}

// Leave says farewell and closes: the others see at once that this broker left. It takes a second or two at most.
func (c *Cluster) Leave() error {
	select {
	case <-c.closing:
		return nil
	default:
	}
	err := c.serf.Leave()
	return errors.Join(err, c.Close())
}

// Close ends gossip without a word. The others will find this broker dead. No subscriber and no function of the Options is
// called once it has returned.
func (c *Cluster) Close() error {
	var err error
	c.closed.Do(func() {
		err = c.serf.Shutdown()
		close(c.closing)
		c.watched.Wait()
	})
	return err
}

// signal leaves word on a channel of one that something is to be done, if none is there yet.
func signal(one chan<- struct{}) {
	select {
	case one <- struct{}{}:
	default:
	}
}
