package simulation

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// Admin is the client that makes and removes topics.
type Admin struct {
	world  *World
	client *Client
	random *rand.Rand
	brief  int // names of brief topics used so far
	// checked tells that the catalog was compared with what the clients know.
	checked bool
}

func newAdmin(w *World) *Admin {
	return &Admin{world: w, client: w.newClient("admin"), random: w.streams.Named("admin")}
}

// create makes a topic, asking until it is there; a name that exists already is looked up. Then done is called.
func (a *Admin) create(name string, partitions int32, done func(*Topic)) {
	if len(a.world.cluster.brokers) > 1 {
		a.place(name, partitions, a.replicas(), done)
		return
	}
	again := func() { a.later(func() { a.create(name, partitions, done) }) }
	request := &protocol.CreateTopicRequest{Topic: name, Partitions: partitions, Settings: a.settings()}
	a.client.Call(request, a.world.options.Patience, func(m protocol.Message, err error) {
		switch {
		case err == nil:
			r := m.(*protocol.CreateTopicResponse)
			done(a.world.newTopic(name, r.TopicID, r.Partitions, 1))
		case errors.Is(err, protocol.CodeTopicExists):
			a.lookUp(name, again, done)
		default:
			again()
		}
	})
}

// replicas draws how many replicas the partitions of a topic get.
func (a *Admin) replicas() int {
	n := len(a.world.cluster.brokers)
	switch {
	case n >= 5 && chance(a.random, 40):
		return 5
	case n >= 3 && chance(a.random, 85):
		return 3
	}
	return 1
}

// place makes a topic with several replicas on drawn brokers.
func (a *Admin) place(name string, partitions int32, replicas int, done func(*Topic)) {
	a.placeOn(name, func() [][]id.Node { return a.placements(partitions, replicas) }, done)
}

// placeOn makes a topic, as whoever decides where its replicas live does: on a broker itself.
func (a *Admin) placeOn(name string, placements func() [][]id.Node, done func(*Topic)) {
	again := func() { a.later(func() { a.placeOn(name, placements, done) }) }
	b := a.world.cluster.brokers[a.random.IntN(len(a.world.cluster.brokers))]
	if !b.Up() {
		again()
		return
	}
	over := false
	once := func(f func()) {
		if !over {
			over = true
			f()
		}
	}
	a.world.scheduler.At(a.client.life, a.world.options.Patience+time.Second, func() { once(again) })
	command := catalog.CreateTopic{Name: id.Topic(name), Settings: a.settings(), Placements: placements()}
	command.Partitions = int32(len(command.Placements))
	b.node.Router().CreateTopic(command, func(t *catalog.Topic, err error) {
		once(func() {
			if err != nil && !errors.Is(err, catalog.ErrTopicExists) {
				again()
				return
			}
			a.world.cluster.lostAtBirth(t)
			done(a.world.newTopic(name, t.ID, int32(len(t.Partitions)), len(t.Partitions[0].Replicas)))
		})
	})
}

// placements draws different brokers for each partition.
func (a *Admin) placements(partitions int32, replicas int) [][]id.Node {
	all := make([][]id.Node, partitions)
	for i := range all {
		for _, n := range a.random.Perm(len(a.world.cluster.brokers))[:replicas] {
			all[i] = append(all[i], a.world.cluster.brokers[n].identity)
		}
	}
	return all
}

// settings draws who stamps the records' times.
func (a *Admin) settings() map[string]string {
	if chance(a.random, 30) {
		return map[string]string{"message.timestamp.type": "LogAppendTime"}
	}
	return nil
}

func (a *Admin) lookUp(name string, again func(), done func(*Topic)) {
	a.client.Call(&protocol.MetadataRequest{Topics: []string{name}}, a.world.options.Patience, func(m protocol.Message, err error) {
		if err != nil || m.(*protocol.MetadataResponse).Topics[0].Err != nil {
			again()
			return
		}
		t := m.(*protocol.MetadataResponse).Topics[0]
		done(a.world.newTopic(name, t.TopicID, int32(len(t.Partitions)), 1))
	})
}

func (a *Admin) later(f func()) {
	a.world.scheduler.At(a.client.life, time.Duration(a.random.Int64N(int64(200*time.Millisecond))), f)
}

// Start makes a brief topic now and then, and deletes it a while later. Its name is used again.
func (a *Admin) Start() {
	wait := time.Duration(a.random.Int64N(int64(8 * time.Second)))
	a.world.scheduler.At(a.client.life, wait, func() {
		if !a.world.load {
			return
		}
		if !a.world.plan.turn(a.client.name) {
			a.Start()
			return
		}
		a.brief++
		a.create("brief-"+strconv.Itoa(a.brief%2), 1, func(t *Topic) {
			a.world.scheduler.At(a.client.life, wait, func() { a.remove(t, a.Start) })
		})
	})
}

func (a *Admin) remove(t *Topic, done func()) {
	t.Deleted = true
	a.world.deleted[id.Partition{Topic: t.ID}] = true
	request := &protocol.DeleteTopicRequest{Topic: t.Name, TopicID: t.ID}
	a.client.Call(request, a.world.options.Patience, func(_ protocol.Message, err error) {
		if err == nil || errors.Is(err, protocol.CodeUnknownTopic) || errors.Is(err, protocol.CodeTopicRecreated) {
			// A broker that has not heard of the topic yet says so too.
			t.Gone = err == nil || !a.world.several()
			a.world.marks.count(MarkTopicDeleted)
			a.world.trace.event("catalog", "deleted", "%s (%v)", t.Name, t.ID)
			done()
			return
		}
		a.later(func() { a.remove(t, done) })
	})
}

// Check compares the catalog, once everything is at rest, with what was created and deleted.
func (a *Admin) Check() {
	if a.world.unsettled() {
		a.later(a.Check)
		return
	}
	a.client.Call(&protocol.MetadataRequest{}, a.world.options.Patience, func(m protocol.Message, err error) {
		if err != nil {
			a.later(a.Check)
			return
		}
		a.world.compareTopics(m.(*protocol.MetadataResponse), a.world.topics, func(t *Topic) bool { return t.Gone })
		a.checked = true
	})
}
