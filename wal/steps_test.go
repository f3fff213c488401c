package wal

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
)

// recorder notes the steps that it lets through, and fails those of one kind.
type recorder struct {
	replica string // where the paths of a log begin
	taken   []string
	fails   string
}

func (r *recorder) Do(s Step, do func() error) error {
	r.taken = append(r.taken, fmt.Sprintf("%v %s %d", s.Kind, strings.TrimPrefix(s.Path, r.replica), len(s.Bytes)))
	if s.Kind.String() == r.fails {
		return errors.Join(do(), errDisk) // do, or a descriptor stays open
	}
	return do()
}

// A simulation sees every write and fsync of a log's life, in order, and what comes of it if it fails one.
func TestStepsSeeEveryWriteAndSync(t *testing.T) {
	r := &recorder{}
	b := newBench(t, Options{Steps: r})
	r.replica, r.taken = b.replicaPath(), nil
	l, s := b.open(), newStory()
	s.commit(t, l, s.empty(), s.batch(100))
	must(t, l.SaveCheckpoint(&partitions.Checkpoint{Index: 2, Term: 1, Configuration: birth().Configuration, Nodes: birth().Nodes}))
	must(t, l.Close())
	must(t, b.directory.Close())
	want := []string{
		"sync directory  0", "open tail  0",
		"append  0", "sync tail  0", "write /hardstate 64", "sync /hardstate 0", "write /hardstate 64",
		"write /checkpoint-00000000000000000002.new 115", "sync /checkpoint-00000000000000000002.new 0",
		"rename /checkpoint-00000000000000000002.new 0", "sync directory  0",
		"close tail  0",
	}
	if diff := cmp.Diff(want, r.taken); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func TestStepThatFailsPoisons(t *testing.T) {
	for _, kind := range []string{"append", "sync tail", "write", "sync"} {
		r := &recorder{}
		b := newBench(t, Options{Steps: r})
		l, s := b.open(), newStory()
		r.fails = kind
		err := l.Append([]partitions.Write{{Entries: s.batches(1, 50), HardState: s.state(2), Changed: true}})
		if err == nil {
			err = l.Sync()
		}
		wantErr(t, err, errDisk)
		wantErr(t, l.Sync(), partitions.ErrPoisoned)
		r.fails = ""
		must(t, l.Close())
	}
}
