package wal

import "errors"

// What this room reports besides partitions.ErrDamaged, ErrPoisoned, ErrClosed and ErrNewer.
var (
	// ErrLocked: another process, or another part of this one, has the data directory open.
	ErrLocked = errors.New("wal: data directory is in use")
	// ErrRecovering: the recovery of the cluster's catalog in this data directory was interrupted, and must be finished first.
	ErrRecovering = errors.New("wal: a recovery of the cluster's catalog is not finished here; run `troupe cluster recover` on it again")
	// ErrEpoch: a data directory follows another epoch of its cluster, which it cannot leave for the one named.
	ErrEpoch = errors.New("wal: another epoch of the cluster")
	// ErrOpen: the replica's log is open already; a log has one owner.
	ErrOpen = errors.New("wal: log is already open")
	// ErrNotRegistered: no replica of that id was ever created in this data directory.
	ErrNotRegistered = errors.New("wal: replica was never created here")
	// ErrRemoved: the replica was removed for good. Its id is never used again.
	ErrRemoved = errors.New("wal: replica was removed")
	// ErrRange: entries were asked for that the log does not hold, or given for places that are no hole.
	ErrRange = errors.New("wal: entries outside the log")
	// ErrContradiction: an entry was given for a hole that does not fit to what is around it.
	ErrContradiction = errors.New("wal: entry contradicts the log")
)
