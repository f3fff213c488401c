package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"

	"troupe/actors"
	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
	"troupe/wal"
)

// heritage is what a data directory, on which no broker runs, holds of the catalog: what that can go on with after its majority is
// lost for ever.
type heritage struct {
	directory *wal.Directory
	identity  wal.Identity
	replica   id.Replica
	status    partitions.Status // as its own log tells it
	state     *catalog.State    // with all that the log holds, known to be committed or not
	clock     id.Timestamp      // of the newest entry
}

// openAtRest opens the data directory of a broker that does not run. It makes none.
func openAtRest(verb, path string) (*wal.Directory, error) {
	o, err := openOffline(verb, path)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(o.Problem(), o.Close()); err != nil {
		return nil, fmt.Errorf("data directory %s: %w", path, err)
	}
	if absolute, err := filepath.Abs(path); err != nil || o.Data != absolute || o.Identity.Cluster == 0 {
		return nil, fmt.Errorf("%s is not the data directory of a broker that belongs to a cluster; name what it has as --data", path)
	}
	d, err := wal.OpenDirectory(path, wal.Options{Holder: holderOf(verb), Recovers: true})
	if err != nil {
		return nil, cannotOpen(path, err)
	}
	return d, nil
}

// readHeritage reads the newest replica of the catalog in a directory; of a recovery that was interrupted, the one that it was
// begun from. What a start of the broker would cut off is cut off. It returns partitions.ErrNotRecoverable where there is none, or
// none that can be read.
func readHeritage(d *wal.Directory) (*heritage, error) {
	all := d.Replicas(catalog.Partition())
	for len(all) > 0 {
		h := &heritage{directory: d, identity: d.Identity(), replica: all[len(all)-1]}
		earlier := all[:len(all)-1]
		unfinished, err := h.read(earlier)
		if err != nil || !unfinished {
			return h, err
		}
		all = earlier
	}
	return nil, fmt.Errorf("it holds no replica of the catalog: %w; recover from a broker that does", partitions.ErrNotRecoverable)
}

// read reads the replica's log. Unfinished tells that it is an heir's to one of the earlier replicas.
func (h *heritage) read(earlier []id.Replica) (unfinished bool, err error) {
	log, err := h.directory.Open(catalog.Partition(), h.replica)
	if err != nil {
		return false, fmt.Errorf("%w: %w; recover from another broker", partitions.ErrNotRecoverable, err)
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	found := log.Recovered()
	if slices.ContainsFunc(earlier, func(r id.Replica) bool { return partitions.Unfinished(found, r) }) {
		return true, nil
	}
	fold := catalog.NewFold()
	replica, err := partitions.New(partitions.Options{
		Partition: catalog.Partition(), Replica: h.replica, Node: h.identity.Node, Log: log, Fold: fold,
	}, 0)
	if err != nil {
		return false, fmt.Errorf("%w: %w; recover from another broker", partitions.ErrNotRecoverable, err)
	}
	h.status = replica.Status()
	if found.Newest == nil {
		h.state = fold.State()
		return false, nil
	}
	h.clock = found.Newest.Clock
	for next := found.Newest.Index + 1; next <= found.Last; {
		entries, err := log.Entries(next, found.Last+1, heritageBytes)
		if err != nil {
			return false, err
		}
		for _, e := range entries {
			h.clock = max(h.clock, e.AppendTime)
			if b, err := batch.ParseHeader(e.Payload); err == nil && e.Type == partitions.EntryBatch && e.Index > h.status.Applied {
				fold.Apply(b.BaseOffset, e.Payload)
			}
		}
		next = entries[len(entries)-1].Index + 1
	}
	h.state = fold.State()
	return false, nil
}

// heritageBytes is how much of a log is read at once.
const heritageBytes = 4 << 20

// whole tells that there is nothing to recover: the replica votes alone.
func (h *heritage) whole() bool {
	own := partitions.Placed{Replica: h.replica, Node: h.identity.Node}
	return !h.status.Joint && slices.Equal(h.status.Voters, []partitions.Placed{own})
}

// begun tells that the recovery into the directory's epoch has its log already.
func (h *heritage) begun() bool { return h.state.Epoch == h.identity.Epoch }

// check tells why the catalog cannot go on with this. Whether a majority is lost, and who has most, nobody can tell from here.
func (h *heritage) check() error {
	_, err := partitions.Survivor([]partitions.Status{h.status}, h.identity.Node)
	if err == nil && h.state.Cluster != h.identity.Cluster {
		err = fmt.Errorf("its catalog is of cluster %v: %w", h.state.Cluster, partitions.ErrNotRecoverable)
	}
	return err
}

// succeed makes the replica's heir the catalog's only voter, in a new epoch. Each step is durable before the next, and whatever
// interrupts them, calling it again goes on: the log that it begins from does not change.
func (h *heritage) succeed(at id.Timestamp, random *rand.Rand) (*catalog.Recovery, error) {
	epoch := h.identity.Epoch
	if !h.identity.Recovering {
		epoch = epoch.Next(random)
	}
	bytes := catalog.Batch(catalog.Succeed{Epoch: epoch, Survivor: h.replica, At: at}, at)
	rehearsal := catalog.NewFold()
	if err := rehearsal.Restore(h.state.Snapshot()); err != nil {
		return nil, err
	}
	result := rehearsal.Apply(h.state.Version+partitions.InheritedOffsets, bytes).(catalog.Result)
	if result.Err != nil {
		return nil, result.Err
	}
	if !h.identity.Recovering {
		if err := h.directory.BeginRecovery(epoch); err != nil {
			return nil, err
		}
	}
	a := result.Topic.Partitions[0]
	if err := actors.Inherit(h.directory, catalog.Partition(), h.replica, a.Replicas[0], bytes); err != nil {
		return nil, fmt.Errorf("%w; what was there is unchanged, run the command again", err)
	}
	if err := h.directory.EndRecovery(); err != nil {
		return nil, err
	}
	h.identity, h.state = h.directory.Identity(), rehearsal.State()
	return &a.Recoveries[len(a.Recoveries)-1], nil
}
