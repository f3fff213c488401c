package real

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"troupe/gateway/client"
	"troupe/partitions/id"
)

// fillDisk takes the room that a broker has left, for a while: to below its reserve, or all of it.
func (r *run) fillDisk(ctx context.Context, b *broker) error {
	leave := []int64{0, 4 << 20}[r.random.IntN(2)]
	path := filepath.Join(b.directory, "ballast")
	if err := fill(path, leave); err != nil {
		return err
	}
	rest(ctx, r.lasting(8*time.Second))
	return os.Remove(path)
}

// fill makes a file as large as the file system permits, less what is to be left.
func fill(path string, leave int64) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	size, block := int64(0), make([]byte, 1<<20)
	for {
		n, err := file.Write(block)
		size += int64(n)
		switch {
		case errors.Is(err, syscall.ENOSPC) && len(block) > 4<<10:
			block = block[:len(block)/2]
		case errors.Is(err, syscall.ENOSPC):
			return file.Truncate(max(0, size-leave))
		case err != nil:
			return err
		}
	}
}

// wipe takes everything from a broker. What comes back is another, to which the replicas are given.
func (r *run) wipe(ctx context.Context, b *broker) error {
	was := b.node
	b.kill()
	if err := os.RemoveAll(b.data()); err != nil {
		return err
	}
	if err := b.start(ctx, "--join", r.seeds(b)); err != nil {
		return err
	}
	if b.node == was {
		return fmt.Errorf("%s was wiped, and came back as %v, who it was", b.name, was)
	}
	r.say(b.name, "comes back as %v", b.node)
	return r.replace(ctx)
}

// flip changes one bit of what a broker has on disk while it is down. After a kill only what a later commit covers is hit: a
// damaged last commit reads as a tear, which log.md states as the limit.
func (r *run) flip(ctx context.Context, b *broker) error {
	end := 1.0
	if r.random.IntN(2) == 0 {
		b.kill()
		end = 0.5
	} else if err := b.stop(); err != nil {
		return err
	}
	segments, err := filepath.Glob(filepath.Join(b.data(), "replicas", "*", "0*"))
	if err != nil {
		return err
	}
	r.random.Shuffle(len(segments), func(i, j int) { segments[i], segments[j] = segments[j], segments[i] })
	for _, path := range segments {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if content = bytes.TrimRight(content, "\x00"); len(content) < 4<<10 {
			continue
		}
		at := r.random.Int64N(int64(float64(len(content)) * end))
		r.say(b.name, "byte %d of %s is flipped", at, path)
		if err := flipByte(path, at, 1<<r.random.IntN(8)); err != nil {
			return err
		}
		r.report.Flipped++
		break
	}
	return b.start(ctx)
}

func flipByte(path string, at int64, bits byte) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	one := make([]byte, 1)
	if _, err := file.ReadAt(one, at); err != nil {
		return err
	}
	one[0] ^= bits
	_, err = file.WriteAt(one, at)
	return err
}

// errTwin: a copied directory was let in.
var errTwin = errors.New("a copy of a broker's directory is let in")

// The ways to copy a directory.
const (
	copyStopped = iota // it has been the original's last start, too
	copyOlder          // the original was started again since
	copyRunning        // of a running broker: the copy counts one start more
	copies
)

// twin starts a copy of a broker's directory beside it. It must not be let in, and harm nobody.
func (r *run) twin(ctx context.Context, b *broker) error {
	t, err := r.broker(brokers, "twin")
	if err != nil {
		return err
	}
	defer r.unmount(t)
	t.arguments = append(slices.Clone(t.arguments), "--join", r.seeds(b))
	how := r.random.IntN(copies)
	if err := r.copied(ctx, b, t, how); err != nil {
		return err
	}
	if err := t.spawn(); err != nil {
		return err
	}
	defer t.kill()
	r.say("twin", "a copy of %s (kind %d) is started", b.name, how)
	patience := time.NewTimer(twinPatience)
	defer patience.Stop()
	for {
		select {
		case <-t.gone():
			r.say("twin", "has ended by itself")
			return nil
		case <-patience.C:
			r.say("twin", "has got nowhere in %v", twinPatience)
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
		if led := t.leads(ctx, b.node); len(led) > 0 {
			return fmt.Errorf("%w: a copy of %s was elected for the partitions %v", errTwin, b.name, led)
		}
	}
}

// leads lists the partitions that a copy says it leads itself. It may answer, and find nobody who listens: what it leads, a
// quorum has let it have.
func (b *broker) leads(ctx context.Context, as id.Node) (all []int32) {
	c, err := client.New(client.WithBroker(b.gateway), client.WithDialTimeout(time.Second), client.WithRequestTimeout(time.Second),
		client.WithDialer(b.dialOnly))
	if err != nil {
		return nil
	}
	defer c.Close()
	topic, err := c.DescribeTopic(ctx, topicName)
	if err != nil {
		return nil
	}
	for _, p := range topic.Partitions {
		if p.Role == "leader" && p.Leader == as && p.Ready {
			all = append(all, p.Partition)
		}
	}
	return all
}

// dialOnly connects to this broker and to no other.
func (b *broker) dialOnly(ctx context.Context, network, address string) (net.Conn, error) {
	if address != b.gateway {
		return nil, fmt.Errorf("%s is not %s", address, b.name)
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// twinPatience is how long a copy is watched.
const twinPatience = 6 * time.Second

// copied makes the copy, and has the broker run.
func (r *run) copied(ctx context.Context, b, t *broker, how int) error {
	take := func() error { return os.CopyFS(t.data(), os.DirFS(b.data())) }
	if how == copyRunning {
		b.signal(syscall.SIGSTOP)
		defer b.signal(syscall.SIGCONT)
		return take()
	}
	if err := b.stop(); err != nil {
		return err
	}
	if err := take(); err != nil {
		return err
	}
	if err := b.start(ctx); err != nil || how == copyStopped {
		return err
	}
	return r.restart(ctx, b)
}

// unmount takes a broker's disk away, with everything on it.
func (r *run) unmount(b *broker) {
	_ = unmountMemory(b.directory) // where it was not mounted, it is an ordinary directory
	_ = os.RemoveAll(b.directory)
	r.mounted = slices.DeleteFunc(r.mounted, func(path string) bool { return path == b.directory })
}
