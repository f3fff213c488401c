package gateway

import "troupe/partitions/batch"

// decompressors are lent to whoever looks into batches. Their number bounds the memory that decompression takes over all
// connections: each holds at most DecompressedBytes and a window while it works.
type decompressors chan *batch.Decompressor

func newDecompressors(n int) decompressors {
	d := make(decompressors, n)
	for range n {
		d <- new(batch.Decompressor)
	}
	return d
}

// with calls f with a decompressor, waiting for one if all are at work: f must not wait for anything. In a simulation,
// where one goroutine does all the work, one is always free.
func (d decompressors) with(f func(*batch.Decompressor)) {
	one := <-d
	defer func() { d <- one }()
	f(one)
}
