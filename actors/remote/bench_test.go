package remote

import (
	"fmt"
	"sync/atomic"
	"testing"

	"troupe/partitions/id"
)

// BenchmarkThroughput sends frames of several sizes one way, as fast as they are taken.
func BenchmarkThroughput(b *testing.B) {
	for _, mode := range []string{"plain", "tls"} {
		for _, size := range []int{100, 1 << 10, 16 << 10, 256 << 10, 1 << 20, 4 << 20} {
			b.Run(fmt.Sprintf("%s/%d", mode, size), func(b *testing.B) { throughput(b, size, mode == "tls") })
		}
	}
}

func throughput(b *testing.B, size int, secured bool) {
	w := newTown()
	var change []func(*Options)
	if secured {
		change = append(change, withSecrets(first))
	}
	var got atomic.Int64
	arrived := make(chan struct{}, 1)
	from := w.open(b, 1, change...)
	w.open(b, 2, append(change, func(o *Options) {
		o.Receive = func(id.Node, []byte) {
			got.Add(1)
			select {
			case arrived <- struct{}{}:
			default:
			}
		}
	})...)
	frame := make([]byte, size)
	b.SetBytes(int64(size))
	for sent := int64(0); b.Loop(); sent++ {
		for !from.Send(2, frame) {
			<-arrived // room is made when frames leave
		}
	}
	for got.Load() < int64(b.N) {
		<-arrived
	}
}

// BenchmarkRoundTrip waits for an answer to each small frame.
func BenchmarkRoundTrip(b *testing.B) {
	for _, mode := range []string{"plain", "tls"} {
		b.Run(mode, func(b *testing.B) {
			w := newTown()
			var change []func(*Options)
			if mode == "tls" {
				change = append(change, withSecrets(first))
			}
			back := make(chan struct{}, 1)
			from := w.open(b, 1, append(change, func(o *Options) {
				o.Receive = func(id.Node, []byte) { back <- struct{}{} }
			})...)
			var to *broker
			to = w.open(b, 2, append(change, func(o *Options) {
				o.Receive = func(from id.Node, frame []byte) { to.Send(from, frame) }
			})...)
			for b.Loop() {
				from.Send(2, []byte("there and back"))
				<-back
			}
		})
	}
}

// BenchmarkSmallBehindBulk waits for an answer to a small frame, sent after some that are large.
func BenchmarkSmallBehindBulk(b *testing.B) {
	for _, bulk := range []int{1, 4, 16} {
		b.Run(fmt.Sprintf("%dx1MiB", bulk), func(b *testing.B) {
			w := newTown()
			back := make(chan struct{}, 1)
			from := w.open(b, 1, withSecrets(first), func(o *Options) {
				o.Receive = func(id.Node, []byte) { back <- struct{}{} }
			})
			var to *broker
			to = w.open(b, 2, withSecrets(first), func(o *Options) {
				o.Receive = func(from id.Node, frame []byte) {
					if len(frame) == 1 {
						to.Send(from, frame)
					}
				}
			})
			large := make([]byte, 1<<20)
			for b.Loop() {
				for range bulk {
					from.Send(2, large)
				}
				from.Send(2, large[:1])
				<-back
			}
		})
	}
}
