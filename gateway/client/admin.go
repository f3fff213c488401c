package client

import (
	"context"
	"fmt"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

// CreateTopic creates a topic. Settings are written as people write them: "retention.ms" to "7d". Codes of its errors:
// TOPIC_EXISTS, INVALID_TOPIC_NAME, INVALID_PARTITIONS, INVALID_SETTING; OUTCOME_UNKNOWN if the answer was lost.
func (c *Client) CreateTopic(ctx context.Context, topic string, partitions int32, settings map[string]string) (*protocol.CreateTopicResponse, error) {
	answer := new(protocol.CreateTopicResponse)
	request := &protocol.CreateTopicRequest{Topic: topic, Partitions: partitions, Settings: settings}
	if err := c.cluster.persist(ctx, "create topic "+topic, request, answer, doAgain); err != nil {
		return nil, err
	}
	c.topics.reached(answer.Catalog) // what is behind that does not know the topic
	return answer, nil
}

// AlterTopic chooses some settings of a topic anew, and has others follow their defaults again. It returns all that are chosen
// then, in canonical form. It may be repeated without harm, and repeats itself where an answer is lost. Codes of its errors:
// UNKNOWN_TOPIC_OR_PARTITION, INVALID_SETTING, INVALID_TOPIC_NAME for a topic of the broker's own.
func (c *Client) AlterTopic(ctx context.Context, topic string, set map[string]string, unset []string) (map[string]string, error) {
	answer := new(protocol.AlterTopicResponse)
	request := &protocol.AlterTopicRequest{Topic: topic, Settings: set, Unset: unset}
	if err := c.cluster.persist(ctx, "alter topic "+topic, request, answer, askAgain); err != nil {
		return nil, err
	}
	return answer.Settings, nil
}

// DeleteTopic deletes a topic and all its records. The code for a topic that there is not: UNKNOWN_TOPIC_OR_PARTITION.
func (c *Client) DeleteTopic(ctx context.Context, topic string) error {
	return c.cluster.persist(ctx, "delete topic "+topic, &protocol.DeleteTopicRequest{Topic: topic}, new(protocol.DeleteTopicResponse), doAgain)
}

// DescribeTopic describes a topic, partition by partition.
func (c *Client) DescribeTopic(ctx context.Context, topic string) (*protocol.DescribeTopicResponse, error) {
	answer := new(protocol.DescribeTopicResponse)
	if err := c.cluster.persist(ctx, "describe topic "+topic, &protocol.DescribeTopicRequest{Topic: topic}, answer, askAgain); err != nil {
		return nil, err
	}
	return answer, nil
}

// AssignReplicas moves a partition's replicas to other brokers, the preferred leader first: 1, 3 or 5 of them. It returns when
// that is decided; the partition moves afterwards, and DescribeTopic tells how far it is. Codes of its
// errors: INVALID_ASSIGNMENT, ASSIGNMENT_CHANGED, MOVE_UNDER_WAY, UNKNOWN_BROKER; OUTCOME_UNKNOWN if the answer was lost.
func (c *Client) AssignReplicas(ctx context.Context, r *protocol.AssignReplicasRequest) (*protocol.AssignReplicasResponse, error) {
	answer := new(protocol.AssignReplicasResponse)
	if err := c.cluster.persist(ctx, fmt.Sprintf("assign replicas of %s/%d", r.Topic, r.Partition), r, answer, doAgain); err != nil {
		return nil, err
	}
	return answer, nil
}

// DrainNode has a broker take no more replicas, and those it has move to others; or, with on false, the opposite. It returns when
// that is decided; DescribeCluster tells how many replicas are left. Codes of its errors: UNKNOWN_BROKER; BROKER_IN_USE where too
// few brokers would be left.
func (c *Client) DrainNode(ctx context.Context, node id.Node, on bool) error {
	return c.cluster.persist(ctx, fmt.Sprintf("drain broker %v", node), &protocol.DrainNodeRequest{Node: node, On: on}, new(protocol.DrainNodeResponse), doAgain)
}

// DismissNode has a broker without replicas leave the cluster for ever. Codes of its errors: UNKNOWN_BROKER; BROKER_IN_USE while
// it has replicas.
func (c *Client) DismissNode(ctx context.Context, node id.Node) error {
	return c.cluster.persist(ctx, fmt.Sprintf("dismiss broker %v", node), &protocol.DismissNodeRequest{Node: node}, new(protocol.DismissNodeResponse), doAgain)
}

// RecoverPartition has a partition whose majority of replicas is lost for ever go on with what one replica has: what only the
// others had is lost. It returns when that is decided; DescribeTopic tells how far it is. Codes of its errors: NOT_RECOVERABLE,
// ASSIGNMENT_CHANGED; OUTCOME_UNKNOWN if the answer was lost.
func (c *Client) RecoverPartition(ctx context.Context, r *protocol.RecoverPartitionRequest) (*protocol.Recovery, error) {
	answer := new(protocol.RecoverPartitionResponse)
	if err := c.cluster.persist(ctx, fmt.Sprintf("recover %s/%d", r.Topic, r.Partition), r, answer, doAgain); err != nil {
		return nil, err
	}
	return &answer.Recovery, nil
}

// PlanMoves tells what moves in the cluster, what will, and what is held back, as one broker sees it.
func (c *Client) PlanMoves(ctx context.Context) (*protocol.PlanMovesResponse, error) {
	answer := new(protocol.PlanMovesResponse)
	if err := c.cluster.persist(ctx, "plan moves", &protocol.PlanMovesRequest{}, answer, askAgain); err != nil {
		return nil, err
	}
	return answer, nil
}

// CompareReplicas has a piece of a partition's replicas compared, from an entry on; end is 0 at first, and then what the answer
// told. Each broker reads a few MiB for it. The answer tells where to go on, until Through is End or a replica differs.
func (c *Client) CompareReplicas(ctx context.Context, topic string, partition int32, from, end id.Index) (*protocol.CompareReplicasResponse, error) {
	request := &protocol.CompareReplicasRequest{Topic: topic, Partition: partition, From: from, End: end}
	answer := new(protocol.CompareReplicasResponse)
	if err := c.cluster.persist(ctx, fmt.Sprintf("compare the replicas of %s/%d", topic, partition), request, answer, askAgain); err != nil {
		return nil, err
	}
	return answer, nil
}

// ListTopics lists every topic that is not internal, by name.
func (c *Client) ListTopics(ctx context.Context) ([]protocol.MetadataTopic, error) {
	var answer protocol.MetadataResponse
	if err := c.cluster.persist(ctx, "list topics", &protocol.MetadataRequest{}, &answer, askAgain); err != nil {
		return nil, err
	}
	return answer.Topics, nil
}

// DescribeCluster describes the cluster as one broker sees it.
func (c *Client) DescribeCluster(ctx context.Context) (*protocol.DescribeClusterResponse, error) {
	answer := new(protocol.DescribeClusterResponse)
	if err := c.cluster.persist(ctx, "describe cluster", &protocol.DescribeClusterRequest{}, answer, askAgain); err != nil {
		return nil, err
	}
	return answer, nil
}

// ListOffsets tells where a position lies in some partitions of a topic; none named: in all. The answers come in the order
// asked, by number for all. FromOffset tells the bounds alone: its Offset is the log start. A quarantined partition answers
// with what verifies of it, and DAMAGED in Err beside it.
func (c *Client) ListOffsets(ctx context.Context, topic string, at Position, partitions ...int32) ([]protocol.ListedOffset, error) {
	t, err := c.topics.learn(ctx, topic)
	if err != nil {
		return nil, err
	}
	return c.listOffsets(ctx, t, at, t.numbers(partitions))
}

func (t *topic) numbers(chosen []int32) []int32 {
	if len(chosen) > 0 {
		return chosen
	}
	all := make([]int32, len(t.lanes))
	for i := range all {
		all[i] = int32(i)
	}
	return all
}

// listOffsets asks until every partition has answered, the context ends or the request timeout is over. A partition whose
// leader is not ready is asked again.
func (c *Client) listOffsets(ctx context.Context, t *topic, at Position, numbers []int32) ([]protocol.ListedOffset, error) {
	action := fmt.Sprintf("find the %v of topic %s", at, t.name)
	listed := make([]protocol.ListedOffset, len(numbers))
	missing := make([]int, len(numbers)) // indexes into numbers
	for i := range missing {
		missing[i] = i
	}
	deadline := time.Now().Add(c.settings.requestTimeout)
	for attempt := 0; len(missing) > 0; attempt++ {
		request, answer := new(protocol.ListOffsetsRequest), new(protocol.ListOffsetsResponse)
		for _, i := range missing[:min(len(missing), protocol.MaxPartitions)] {
			kind, stamp := at.ask()
			request.Partitions = append(request.Partitions, protocol.OffsetPartition{
				Topic: t.name, TopicID: t.id, Partition: numbers[i], At: kind, Time: stamp,
			})
		}
		if err := c.cluster.persist(ctx, action, request, answer, askAgain); err != nil {
			return nil, err
		}
		if len(answer.Partitions) != len(request.Partitions) {
			return nil, explain(action, protocol.NewError(protocol.CodeInternal, "asked for %d partitions, told of %d", len(request.Partitions), len(answer.Partitions)))
		}
		var refused error
		var still []int
		for k, p := range answer.Partitions {
			i := missing[k]
			switch {
			case p.Err == nil && t.stale(numbers[i], p.Term):
				refused, still = staleAnswer, append(still, i)
			case p.Err == nil || p.Offset != protocol.NoOffset:
				t.heed(numbers[i], p.Term, nil)
				listed[i] = p
			case p.Err.Retriable:
				refused, still = p.Err, append(still, i)
			default:
				return nil, explain(fmt.Sprintf("%s/%d", action, numbers[i]), p.Err)
			}
		}
		missing = append(still, missing[len(answer.Partitions):]...)
		if refused == nil {
			continue
		}
		c.cluster.turn()
		pause := backoff(attempt, refused)
		if time.Now().Add(pause).After(deadline) || wait(ctx, c.closing, pause) != nil {
			return nil, explain(action, refused)
		}
	}
	return listed, nil
}
