package real

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// topics are those whose replicas have to be whole: ours, once it is there, and the brokers' own.
func (r *run) topics() []string {
	if r.chronicle.topic == 0 {
		return []string{string(catalog.Name)}
	}
	return []string{string(catalog.Name), topicName}
}

// errNotWhole: the cluster was given all the time there is, and something is still missing.
var errNotWhole = errors.New("not whole")

// awaitWhole returns when every broker is up, belongs to the others, and every replica has everything.
func (r *run) awaitWhole(ctx context.Context) error {
	return r.until(ctx, settlePatience, errNotWhole, r.missing)
}

// until returns when the cluster lacks nothing, or the error where that takes longer than patience.
func (r *run) until(ctx context.Context, patience time.Duration, otherwise error, lacks func(context.Context, *client.Client) string) error {
	c, err := r.client()
	if err != nil {
		return err
	}
	defer c.Close()
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for last := ""; ; {
		switch missing := lacks(limited, c); {
		case missing == "":
			return nil
		case limited.Err() == nil || last == "": // otherwise it tells of the end of our patience only
			last = missing
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-limited.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("after %v the cluster is %w: %s", patience, otherwise, last)
		}
	}
}

// missing tells what the cluster lacks; "" for nothing.
func (r *run) missing(ctx context.Context, c *client.Client) string {
	nodes := r.nodes()
	for _, b := range r.brokers {
		if _, err := b.ask(ctx); err != nil {
			return fmt.Sprintf("%s does not answer: %v", b.name, err)
		}
	}
	cluster, err := c.DescribeCluster(ctx)
	if err != nil {
		return err.Error()
	}
	alive := 0
	for _, n := range cluster.Nodes {
		switch {
		case slices.Contains(nodes, n.Node) && n.Alive && n.State == "active":
			alive++
		case n.Alive && !slices.Contains(nodes, n.Node):
			return fmt.Sprintf("broker %v was wiped, and still counts as alive", n.Node)
		}
	}
	if alive != len(nodes) {
		return fmt.Sprintf("%d of %d brokers are alive and enlisted", alive, len(nodes))
	}
	for _, name := range r.topics() {
		topic, err := c.DescribeTopic(ctx, name)
		if err != nil {
			return err.Error()
		}
		for i := range topic.Partitions {
			if lacks := lacking(&topic.Partitions[i], nodes, replicas(name, len(nodes))); lacks != "" {
				return fmt.Sprintf("%s/%d: %s", name, topic.Partitions[i].Partition, lacks)
			}
		}
	}
	return ""
}

// replicas is how many a partition of a topic has in a cluster of three or five: the catalog is on all of them.
func replicas(topic string, nodes int) int {
	if topic == string(catalog.Name) {
		return nodes
	}
	return brokers
}

// lacking tells what a partition lacks to have so many replicas on some nodes.
func lacking(p *protocol.DescribedPartition, nodes []id.Node, want int) string {
	switch {
	case p.Problem != "":
		return p.Problem
	case p.Leader == 0 || !p.Ready:
		return "it has no leader"
	case !p.Settled:
		return "its replicas move"
	}
	var words []string
	whole := 0
	for _, m := range p.Members {
		if slices.Contains(nodes, m.Node) && (m.Role == "leader" || m.Role == "voter" && m.State == "replicate") {
			whole++
		}
		words = append(words, fmt.Sprintf("replica %d on %v: %s %s", m.Replica, m.Node, m.Role, m.State))
	}
	if whole != want || len(p.Members) != want {
		return strings.Join(words, ", ")
	}
	return ""
}

// led lists what a broker leads.
func (r *run) led(ctx context.Context, b *broker) []int32 {
	c, err := r.client()
	if err != nil {
		return nil
	}
	defer c.Close()
	topic, err := c.DescribeTopic(ctx, topicName)
	if err != nil {
		return nil
	}
	var numbers []int32
	for _, p := range topic.Partitions {
		if p.Leader == b.node {
			numbers = append(numbers, p.Partition)
		}
	}
	return numbers
}

// replace gives to our brokers what is assigned to one that is gone for ever, as an operator would, until the cluster is whole. Once
// is not enough: while a broker's death is no news yet, the catalog's leader may move replicas to it.
func (r *run) replace(ctx context.Context) error {
	c, err := r.client()
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, settlePatience)
	defer cancel()
	for {
		var errs []error
		for _, name := range r.topics() {
			errs = append(errs, r.reassign(ctx, c, name))
		}
		missing := r.missing(ctx, c)
		if missing == "" {
			return nil
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("after %v the new broker is %w: %s", settlePatience, errNotWhole, missing), errors.Join(errs...))
		}
	}
}

// reassign gives those partitions of a topic to our brokers that are assigned to another.
func (r *run) reassign(ctx context.Context, c *client.Client, name string) error {
	topic, err := c.DescribeTopic(ctx, name)
	if err != nil {
		return err
	}
	for i := range topic.Partitions {
		p := &topic.Partitions[i]
		kept := slices.DeleteFunc(slices.Clone(p.Replicas), func(n id.Node) bool { return !slices.Contains(r.nodes(), n) })
		if len(kept) == len(p.Replicas) {
			continue
		}
		for _, n := range r.nodes() {
			if !slices.Contains(kept, n) {
				kept = append(kept, n)
			}
		}
		request := &protocol.AssignReplicasRequest{Topic: name, Partition: p.Partition, Nodes: kept, If: protocol.AnyAssignment}
		if _, err := c.AssignReplicas(ctx, request); err != nil {
			return err
		}
	}
	return nil
}
