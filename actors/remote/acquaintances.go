package remote

import (
	"fmt"
	"sync"

	"troupe/partitions/id"
)

// mostAcquaintances bounds the nodes that are remembered: without TLS, whoever reaches the port invents nodes.
const mostAcquaintances = 4096

// acquaintances remembers in which life each node was met last, on either side of a link, also before this broker's own start.
//
// Invariant: the life of a node that is remembered never goes back, and has one nonce.
type acquaintances struct {
	self     Identity
	remember func(Identity) // makes a life durable

	mu  sync.Mutex
	met map[id.Node]Identity
}

// admit checks what a peer says of itself, and remembers it. It returns errCluster, errEpoch, errTwin or errMet.
func (a *acquaintances) admit(i Identity) error {
	if i.Cluster != a.self.Cluster {
		return fmt.Errorf("node %v belongs to cluster %v, this broker to %v: %w", i.Node, i.Cluster, a.self.Cluster, errCluster)
	}
	if i == a.self { // it still looks for an earlier broker at an address that is its own by now
		return fmt.Errorf("it is this broker itself: %w", errMet)
	}
	if i.Node == a.self.Node {
		return fmt.Errorf("it calls itself node %v, which is this broker: %w", i.Node, errTwin)
	}
	if i.Epoch != a.self.Epoch {
		return fmt.Errorf("node %v is of epoch %v of the cluster, this broker of %v: %w", i.Node, i.Epoch, a.self.Epoch, errEpoch)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	last, known := a.met[i.Node]
	switch {
	case !known && len(a.met) >= mostAcquaintances:
		return fmt.Errorf("node %v is one more than the %d that a broker remembers: %w", i.Node, mostAcquaintances, errCrowd)
	case known && i.Incarnation < last.Incarnation:
		return fmt.Errorf("node %v comes as start %d, after start %d was met: %w", i.Node, i.Incarnation, last.Incarnation, errTwin)
	case known && i.Incarnation == last.Incarnation && i.Nonce != last.Nonce:
		return fmt.Errorf("two brokers call themselves node %v, start %d: %w", i.Node, i.Incarnation, errTwin)
	}
	if i != last {
		a.remember(i) // before anything of this life is believed
		a.met[i.Node] = i
	}
	return nil
}
