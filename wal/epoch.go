package wal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"troupe/partitions/id"
)

// When a cluster's catalog has lost its majority for ever, one survivor's directory begins an epoch, and the directories of the
// other brokers adopt it. Who has an epoch's number refuses all others, so that the two catalogs never meet: an epoch is on disk
// before a broker can speak of it, and only ever followed by a later one.
//
// The survivor's directory says first, durably, that the epoch begins here and that its log is not finished; then that log is
// made, whatever interrupts that; then the mark is taken away. In between no broker opens the directory, for it would be of
// the new epoch with the old log.
//
// A directory that adopts an epoch gives up its replicas of the catalog first, one after the other, and the epoch changes last. A
// crash in between leaves a broker of the old epoch whose replica is lost, or removed: it votes nowhere.

// BeginRecovery makes the directory the first of an epoch, in which no broker runs until EndRecovery. It returns ErrEpoch for an
// epoch that does not follow the directory's own.
func (d *Directory) BeginRecovery(e id.Epoch) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := d.identity
	if next.Recovering || e.Number() <= next.Epoch.Number() {
		return fmt.Errorf("data directory %s is of epoch %v, which %v does not follow: %w", d.path, next.Epoch, e, ErrEpoch)
	}
	next.Epoch, next.Recovering = e, true
	return d.setIdentity(next)
}

// EndRecovery tells that the epoch's log is whole.
func (d *Directory) EndRecovery() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := d.identity
	next.Recovering = false
	return d.setIdentity(next)
}

// Adopt makes the directory follow an epoch that began elsewhere, having moved its replicas of the catalog's partition aside: they
// are removed for good, and what they held is kept in the paths returned. An epoch of the same number as the directory's is
// accepted: of two recoveries that knew nothing of each other one has to yield. It returns ErrEpoch for a lower one.
func (d *Directory) Adopt(e id.Epoch, catalog id.Partition) (aside []string, err error) {
	own := d.Identity()
	if own.Epoch == e && !own.Recovering {
		return nil, nil
	}
	if own.Recovering || e.Number() < own.Epoch.Number() {
		return nil, fmt.Errorf("data directory %s is of epoch %v, and cannot go back to %v: %w", d.path, own.Epoch, e, ErrEpoch)
	}
	for _, r := range d.Replicas(catalog) {
		path, err := d.moveAside(catalog, r)
		if err == nil {
			err = d.Remove(catalog, r)
		}
		if err != nil {
			return aside, err
		}
		if path != "" {
			aside = append(aside, path)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	next := d.identity
	next.Epoch = e
	return aside, d.setIdentity(next)
}

// moveAside keeps a replica's directory under another name, durably. It returns "" where there is none.
func (d *Directory) moveAside(p id.Partition, r id.Replica) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open[r] {
		return "", fmt.Errorf("replica %d of %v: %w", r, p, ErrOpen)
	}
	sys, from := d.options.system, d.replica(p, r)
	to, err := asidePath(sys, d.path, replicaName(p, r))
	if err != nil {
		return "", err
	}
	if err := os.Rename(from, to); errors.Is(err, os.ErrNotExist) {
		return "", nil // lost, or moved before a crash
	} else if err != nil {
		return "", err
	}
	return to, errors.Join(sys.syncDirectory(filepath.Dir(to)), sys.syncDirectory(d.replicas()))
}
