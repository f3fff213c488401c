package simulation

import (
	"errors"
	"math/rand/v2"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

// Trimmer is a simulated client that deletes the oldest records of one partition after the other.
type Trimmer struct {
	world  *World
	client *Client
	random *rand.Rand
	reader *Consumer // asks where partitions end
}

func newTrimmer(w *World) *Trimmer {
	return &Trimmer{world: w, client: w.newClient("trimmer"), random: w.streams.Named("trimmer"), reader: newConsumer(w, len(w.consumers))}
}

// Start begins to delete, and goes on until the world stops its load.
func (t *Trimmer) Start() {
	if t.world.options.TrimEvery > 0 {
		t.later()
	}
}

func (t *Trimmer) later() {
	wait := time.Duration(t.random.Int64N(int64(2 * t.world.options.TrimEvery)))
	t.world.scheduler.At(t.client.life, wait, t.turn)
}

// turn finds out where a partition ends, and deletes some of it.
func (t *Trimmer) turn() {
	w := t.world
	if !w.load {
		return
	}
	topic := w.topics[t.random.IntN(len(w.topics))]
	p := t.reader.position(topic, t.random.Int32N(topic.Partitions))
	if !topic.Deleted && w.plan.turn(t.client.name) {
		t.reader.list(p, func(end id.Offset) { t.trim(topic, p.number, t.upTo(end)) })
	}
	t.later()
}

// upTo draws how much is to be deleted: at times everything, so that what producers have written lies in no entry any more.
func (t *Trimmer) upTo(end id.Offset) id.Offset {
	if chance(t.random, 15) {
		return end
	}
	return id.Offset(t.random.Int64N(int64(end) + 1))
}

func (t *Trimmer) trim(topic *Topic, number int32, before id.Offset) {
	w := t.world
	trim := &Trim{Partition: id.Partition{Topic: topic.ID, Number: number}, Before: before, Invoked: w.scheduler.Now(), Completed: never}
	w.history.Trims = append(w.history.Trims, trim)
	request := &protocol.DeleteRecordsRequest{Partitions: []protocol.DeletePartition{
		{Topic: topic.Name, TopicID: topic.ID, Partition: number, Before: before},
	}}
	t.client.Call(request, w.options.Patience, func(m protocol.Message, err error) {
		if err == nil {
			if answer := &m.(*protocol.DeleteRecordsResponse).Partitions[0]; answer.Err != nil {
				err = answer.Err
			} else {
				trim.Completed, trim.LogStart = w.scheduler.Now(), answer.LogStart
				w.trace.event("trimmer", "deleted", "%v below %d: it begins at %d", trim.Partition, before, answer.LogStart)
				return
			}
		}
		w.refused(trim.Partition, topic, err)
		if errors.Is(err, protocol.CodeOffsetOutOfRange) && !topic.Deleted && !w.unsettled() && !w.atlas.sole(trim.Partition).excuses() {
			w.violate(violation("watermark-fell", "%s/%d was known to reach %d, and a trimmer is told: %v", topic.Name, number, before, err))
		}
	})
}
