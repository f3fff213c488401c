package actors

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"troupe/partitions"
	"troupe/partitions/id"
)

// TestClusterChaos has brokers die, links end and frames get lost, and holds every answer against what the log is found to
// hold in the end: what was acknowledged is there, once, where it was said to be; what was refused is not.
func TestClusterChaos(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { clusterChaos(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

type chaosSend struct {
	value string
	life  *testLife // of the broker that was asked
	got   answers[partitions.ProduceAnswer]
}

func clusterChaos(t *testing.T, r *rand.Rand) {
	c := newCluster(t, 4, Limits{ForwardWait: 2 * time.Second})
	topic := c.create(c.brokers[0], "orders", 2, c.brokers[1:]...)
	p := at(topic, 0)
	var sent []*chaosSend
	c.delay = time.Duration(r.IntN(4)) * time.Millisecond
	c.lose = func(id.Node, id.Node, []byte) bool { return r.IntN(200) == 0 }
	up := func() (all []*testBroker) {
		for _, b := range c.brokers {
			if b.life != nil {
				all = append(all, b)
			}
		}
		return all
	}
	for range 400 {
		living := up()
		b := living[r.IntN(len(living))]
		switch n := r.IntN(100); {
		case n < 3 && len(living) > 2:
			b.kill()
		case n < 6:
			for _, dead := range c.brokers {
				if dead.life == nil {
					dead.start()
					break
				}
			}
		case n < 8:
			if other := living[r.IntN(len(living))]; other != b {
				c.split(b, other, r.IntN(2) == 0)
			}
		case n < 70:
			s := &chaosSend{value: fmt.Sprint("v", len(sent)), life: b.life}
			sent = append(sent, s)
			q := partitions.Produce{Batch: testBatch(c.now, s.value), Acks: partitions.AcksQuorum, ExpectEnd: partitions.NoExpectation}
			b.node.Router().Produce(p, q, s.got.take)
		}
		c.pass(time.Duration(r.IntN(60)) * time.Millisecond)
	}
	c.lose, c.cut = nil, map[[2]id.Node]bool{}
	for _, b := range c.brokers {
		if b.life == nil {
			b.start()
		}
	}
	c.pass(5 * time.Second)
	c.leader(p)
	c.compare(p, sent)
}

// compare holds the answers against the log.
func (c *testCluster) compare(p id.Partition, sent []*chaosSend) {
	c.t.Helper()
	var log []string
	for {
		var f partitions.FetchAnswer
		c.until("read", func() bool { // leadership may just be handed to the preferred leader
			f = c.brokers[0].fetch(p, id.Offset(len(log)))
			return f.Err == nil
		})
		if len(f.Batches) == 0 {
			break
		}
		log = append(log, values(c.t, f.Batches)...)
	}
	times := map[string]int{}
	for _, v := range log {
		times[v]++
	}
	acknowledged, unknown := 0, 0
	for _, s := range sent {
		n := times[s.value]
		switch {
		case len(s.got.all) == 0:
			if !s.life.over {
				c.t.Errorf("%s was never answered, and the broker that was asked lives", s.value)
			}
		case len(s.got.all) > 1:
			c.t.Errorf("%s was answered twice: %+v", s.value, s.got.all)
		case s.got.all[0].Err == nil:
			acknowledged++
			if base := s.got.all[0].Base; n != 1 || int(base) >= len(log) || log[base] != s.value {
				c.t.Errorf("%s was acknowledged at %d; it is there %d times", s.value, base, n)
			}
		case errors.Is(s.got.all[0].Err, partitions.ErrOutcomeUnknown):
			unknown++
		case n != 0:
			c.t.Errorf("%s was refused (%v) and is there", s.value, s.got.all[0].Err)
		}
		if n > 1 {
			c.t.Errorf("%s is there %d times", s.value, n)
		}
	}
	c.t.Logf("%d sent, %d acknowledged, %d unknown, %d in the log", len(sent), acknowledged, unknown, len(log))
}
