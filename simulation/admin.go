package simulation

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"troupe/gateway/protocol"
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
			t.Gone = true
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
	a.client.Call(&protocol.MetadataRequest{}, a.world.options.Patience, func(m protocol.Message, err error) {
		if err != nil {
			a.later(a.Check)
			return
		}
		a.world.compareTopics(m.(*protocol.MetadataResponse), a.world.topics, func(t *Topic) bool { return t.Gone })
		a.checked = true
	})
}
