package actors

import (
	"fmt"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"

	"troupe/partitions"
	"troupe/partitions/id"
)

// address is where the rest of the broker reaches a partition. It lives as long as the partition is in the catalog,
// through all its restarts.
type address struct {
	partition id.Partition
	replica   id.Replica
	name      string // of the actor, as the log shows it
	pid       *actor.PID
	door      door[request]
	requests  atomic.Uint64 // numbers given
	ticking   atomic.Bool   // its replica needs ticks
	leads     atomic.Uint64 // the term in which its replica leads and serves; 0: it does not
	alone     atomic.Bool   // its replica has not heard a leader for silentTicks
	route     *route
	mail      door[mail]   // from replicas on other brokers
	mailed    atomic.Int64 // bytes in mail
	problem   atomic.Pointer[string]
}

// newAddress makes the address of a partition whose actor is a child of node.
func newAddress(s *stage, node *actor.PID, p id.Partition, r id.Replica) *address {
	a := &address{partition: p, replica: r, name: replicaName(p, r)}
	a.pid = s.system.NewLocalPID(node.Id + "/" + a.name)
	a.door.limit = s.limits.Requests
	a.door.wake = func() { s.send(a.pid, wake{}) }
	a.mail.limit, a.mail.wake = s.limits.Mail, a.door.wake
	a.route = s.leaders.route(p)
	return a
}

// replicaName is unique for ever: replica ids are not used again.
func replicaName(p id.Partition, r id.Replica) string { return fmt.Sprintf("partition/%v-r%d", p, r) }

// ask puts a request through the door, or refuses it.
func (a *address) ask(q request) {
	if err := a.door.enter(q); err != nil {
		q.refuse(fmt.Errorf("%s: %w", a.name, err))
	}
}

// leading tells whether the partition is led here, as far as is known. nil leads nothing.
func (a *address) leading() bool {
	if a == nil {
		return false
	}
	term := a.leads.Load()
	return term != 0 && term >= a.route.seen.Load()
}

func (a *address) next() partitions.Request { return partitions.Request(a.requests.Add(1)) }

// setProblem tells operators why the partition does not serve; "" for nothing.
func (a *address) setProblem(sentence string) { a.problem.Store(&sentence) }

func (a *address) readProblem() string {
	if p := a.problem.Load(); p != nil {
		return *p
	}
	return ""
}
