package catalog

import "errors"

// What a command can be refused for, at apply. The command changed nothing: not done. A topic that is not there is
// partitions.ErrUnknownTopic.
var (
	// ErrTopicExists: a topic of that name is there already.
	ErrTopicExists = errors.New("catalog: topic exists")
	// ErrInvalidName: a topic's name must match [a-zA-Z0-9._-]{1,249}, must not be "." or "..", and may begin with "__"
	// only inside the broker.
	ErrInvalidName = errors.New("catalog: invalid topic name")
	// ErrInvalidSetting: the setting is unknown, its effect is not built yet, or its value is outside its range.
	ErrInvalidSetting = errors.New("catalog: invalid setting")
	// ErrInvalidPartitions: the number of partitions is below 1 or above the limit.
	ErrInvalidPartitions = errors.New("catalog: invalid number of partitions")
	// ErrTooFewNodes: more replicas were asked for than there are brokers to place them on.
	ErrTooFewNodes = errors.New("catalog: too few brokers")
	// ErrInvalidAssignment: replicas of a partition go to 1, 3 or 5 different nodes that are not gone.
	ErrInvalidAssignment = errors.New("catalog: invalid assignment")
	// ErrAssignmentChanged: the partition's assignment is not, or no longer, the one that the command is about.
	ErrAssignmentChanged = errors.New("catalog: assignment changed")
	// ErrMoveUnderWay: the partition is still moving from an earlier assignment.
	ErrMoveUnderWay = errors.New("catalog: move under way")
	// ErrUnknownNode: no broker of that id was ever in the cluster, or it is gone for ever.
	ErrUnknownNode = errors.New("catalog: unknown broker")
	// ErrNodeInUse: the broker still has replicas, or others could not take them.
	ErrNodeInUse = errors.New("catalog: broker in use")
	// ErrTooMany: there are as many topics, or partitions in all, as there may be.
	ErrTooMany = errors.New("catalog: too many topics or partitions")
)

// What only the broker itself can cause.
var (
	// ErrBootstrapped: the cluster has a beginning already; a second one changes nothing.
	ErrBootstrapped = errors.New("catalog: cluster exists already")
	// ErrInvalidCommand: the record is no command of this version, or contradicts itself.
	ErrInvalidCommand = errors.New("catalog: invalid command")
	// ErrInvalidSnapshot: the bytes are no snapshot of this version.
	ErrInvalidSnapshot = errors.New("catalog: invalid snapshot")
)
