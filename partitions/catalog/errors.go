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
