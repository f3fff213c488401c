package membership

import "errors"

// What a broker's gossip meets and refuses, and what keeps it from starting.
var (
	// ErrNoSecret: gossip would leave this machine without a key. Give the broker one.
	ErrNoSecret = errors.New("membership: gossip off loopback needs a secret; make one with `troupe secret new` and give it to every " +
		"broker as --secret-file")
	// ErrOption: Open was given something it cannot work with.
	ErrOption = errors.New("membership: bad option")
	// ErrTags: a broker describes itself in a way that cannot be read.
	ErrTags = errors.New("membership: unreadable tags")
	// ErrNewer: a broker speaks a later form of gossip than this program knows. Upgrade this one.
	ErrNewer = errors.New("membership: written by a newer Troupe")
	// ErrForeign: a broker under the same secret belongs to another cluster. Two clusters never merge.
	ErrForeign = errors.New("membership: another cluster")
	// ErrEpoch: a broker of this cluster follows its catalog of another epoch: one that was recovered from a survivor after it
	// had lost its majority for ever, or the lost one.
	ErrEpoch = errors.New("membership: another epoch of the cluster")
	// ErrSecret: something talks to the gossip port, or answers on a seed's, that does not have our secret.
	ErrSecret = errors.New("membership: another secret")
	// ErrTwin: of one node there are two starts that cannot both be right: its data directory was copied, or restored from
	// a backup.
	ErrTwin = errors.New("membership: two brokers with one node id, from a copied or restored data directory")
	// ErrContested: a node's later start waits until its earlier one, at another address, is known to be dead.
	ErrContested = errors.New("membership: an earlier start of this node is alive elsewhere")
)

// Problem is something that gossip met and refused. The broker goes on, unless Stop says that it must not.
type Problem struct {
	Err    error  // unwraps to one of this room's errors
	Member Member // whom it is about, as far as known; of ErrSecret only Gossip
	// Stop says that it is this broker which must not go on: its data directory is a copy of one that lives elsewhere, or
	// follows a catalog that was given up.
	Stop bool
}

// Error says what was met.
func (p Problem) Error() string { return p.Err.Error() }

// Unwrap returns what was met.
func (p Problem) Unwrap() error { return p.Err }
