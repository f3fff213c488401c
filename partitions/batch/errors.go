package batch

import "errors"

// What is wrong with a batch. Every error of this package unwraps to one of these.
var (
	// ErrMalformed: the bytes are no batch of this format, or contradict themselves.
	ErrMalformed = errors.New("batch: malformed")
	// ErrChecksum: the CRC32C does not match: the bytes were damaged on the way.
	ErrChecksum = errors.New("batch: checksum mismatch")
	// ErrTooLarge: the batch, or what it decompresses to, is above the limit that was given.
	ErrTooLarge = errors.New("batch: too large")
	// ErrCodec: the compression is not known.
	ErrCodec = errors.New("batch: unknown codec")
)
