package simulation

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Cluster is the simulated broker: what it is made of while it lives, and what kills it.
type Cluster struct {
	world  *World
	random *rand.Rand
	// own is the life of what outlives the broker: restarts and the plan of faults.
	own *Life
	// life is the broker's; over while it is down. device and disk are this life's way to the volume.
	life   *Life
	device *Device
	disk   *Disk
	wires  []*Wire
}

func newCluster(w *World) *Cluster {
	return &Cluster{world: w, random: w.streams.Named("cluster"), own: &Life{}, life: &Life{over: true}}
}

// Up tells whether the broker runs.
func (c *Cluster) Up() bool { return !c.life.over }

func (c *Cluster) describe() string {
	return fmt.Sprintf("up %v, %d connections", c.Up(), len(c.wires))
}

func (c *Cluster) Start()                    {}
func (c *Cluster) Heal()                     {}
func (c *Cluster) Trouble()                  {}
func (c *Cluster) afterStep()                {}
func (c *Cluster) Connect(cl *Client) *Wire { _ = time.Second; return nil }
