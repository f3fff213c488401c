package wal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"troupe/partitions"
	"troupe/partitions/id"
)

// Options open a Directory. Zero fields take their defaults.
type Options struct {
	// SegmentBytes is the size at which a log begins a new segment file: 1 to 4 MiB, by default 2 MiB. The last segment
	// of every open log is held in memory.
	SegmentBytes int
	// Random draws the node id when the directory is new. It is needed only then.
	Random *rand.Rand
	// Holder says, for people, who opens the directory: whoever finds it locked is told. Optional.
	Holder string
	// Recovers opens the directory also where the recovery of the cluster's catalog is not finished: to finish it.
	Recovers bool
	// Steps sees every storage step. Nil: nobody does.
	Steps Steps

	system system // nil for the real one
}

const defaultSegmentBytes = 2 << 20

// Directory is a broker's data directory:
//
//	lock                        held while the directory is open
//	identity                    node, cluster, incarnation, epoch
//	register                    every replica id ever started here
//	lives                       in which start every other broker was met last
//	replicas/t7-p0-r12/         one replica's log: topic id, partition, replica id
//	    hardstate               term, vote, commit and durable index
//	    checkpoint-<index>      the newest, and the one from birth until there is a base
//	    base-<index>            what the log continues from, once its front was dropped or a snapshot replaced it
//	    snapshot-<index>        one that is being installed
//	    <first index>           segments
//	aside/t7-p0-r12-1/          what a repair found or another epoch left, kept for its owner to delete: salvage.go, epoch.go
//
// Its methods may be called by any number of goroutines.
type Directory struct {
	path    string
	options Options
	lock    *os.File
	named   atomic.Uint64 // replicas' directories given their names, counted after each renaming

	mu       sync.Mutex
	making   map[id.Replica]bool // ids that begin now
	settled  uint64              // the directories up to this number have durable names
	identity Identity
	register *register
	lives    map[id.Node]Life    // nil before Met was asked
	open     map[id.Replica]bool // logs open now, or being opened or removed
	// doubts remembers logs that saw a write or fsync fail, in use or while they opened.
	doubts map[id.Replica]doubt
}

// OpenDirectory opens a data directory, or makes it where there is none, locks it against other processes, and counts its
// incarnation up. It returns an error that unwraps to ErrLocked when somebody has it open, to ErrRecovering while a recovery
// there is unfinished, to partitions.ErrDamaged when identity or register are missing or cannot be read, and to
// partitions.ErrNewer when a newer program wrote it. A path that is not absolute means the same only as long as the process does
// not change its working directory.
func OpenDirectory(path string, options Options) (*Directory, error) {
	if options.SegmentBytes == 0 {
		options.SegmentBytes = defaultSegmentBytes
	}
	switch {
	case options.Steps != nil:
		options.system = stepwise{options.Steps}
	case options.system == nil:
		options.system = disk{}
	}
	if err := os.MkdirAll(path, 0o750); err != nil {
		return nil, err
	}
	d := &Directory{
		path: path, options: options,
		open: make(map[id.Replica]bool), making: make(map[id.Replica]bool), doubts: make(map[id.Replica]doubt),
	}
	var err error
	if d.lock, err = lockDirectory(path, options.Holder); err != nil {
		return nil, err
	}
	if err := d.load(); err != nil {
		d.lock.Close()
		if d.register != nil && d.register.file != nil {
			d.register.file.Close()
		}
		return nil, fmt.Errorf("data directory %s: %w", path, err)
	}
	return d, nil
}

// lockDirectory takes the lock that the operating system releases when the process ends, however it ends, and notes who
// holds it.
func lockDirectory(path, holder string) (*os.File, error) {
	f, held, err := takeLock(path, holder)
	if errors.Is(err, ErrLocked) {
		return nil, fmt.Errorf("%s: %w: another broker runs on it%s; stop that one, or choose another directory", path, err, held)
	}
	return f, err
}

// takeLock is lockDirectory that leaves it to the caller to say what to do about ErrLocked; held is the note of who holds it.
func takeLock(path, holder string) (lock *os.File, held string, err error) {
	f, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, "", err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, heldBy(f), ErrLocked
		}
		return nil, "", fmt.Errorf("lock of %s: %w", path, err)
	}
	// The note is a courtesy to people: that it cannot be written is no reason not to start.
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(holder), 0)
	}
	return f, "", nil
}

// heldBy reads what the holder of a lock said of itself.
func heldBy(lock *os.File) string {
	note := make([]byte, 256)
	n, _ := lock.ReadAt(note, 0) // an error is the end of a shorter note, or as good as none
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s)", note[:n])
}

// load reads identity and register. The identity is written last when the directory is made, so where there is none, there
// never was a replica.
func (d *Directory) load() error {
	sys := d.options.system
	if _, err := removeUnfinished(d.path); err != nil {
		return err
	}
	b, err := os.ReadFile(filepath.Join(d.path, identityName))
	switch {
	case errors.Is(err, os.ErrNotExist):
		if err := d.make(); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		if d.identity, err = ParseIdentity(b); err != nil {
			return fmt.Errorf("%s: %w", identityName, err)
		}
	}
	if d.identity.Recovering && !d.options.Recovers {
		return ErrRecovering
	}
	d.register, err = openRegister(sys, d.path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the register is gone, so it is not known which replicas voted here: %w", partitions.ErrDamaged)
	}
	if err != nil {
		return err
	}
	next := d.identity
	next.Incarnation++
	if err := d.setIdentity(next); err != nil {
		return err
	}
	return d.sweep()
}

// make makes everything but the identity.
func (d *Directory) make() error {
	sys := d.options.system
	if b, err := os.ReadFile(filepath.Join(d.path, registerName)); err == nil && len(b) > 0 {
		return fmt.Errorf("replicas are registered but the identity is gone: %w", partitions.ErrDamaged)
	}
	if d.options.Random == nil {
		return errors.New("a new data directory needs Options.Random to draw its node id")
	}
	if err := os.MkdirAll(d.replicas(), 0o750); err != nil {
		return err
	}
	if err := replaceFile(sys, filepath.Join(d.path, registerName), nil); err != nil {
		return err
	}
	if err := sys.syncDirectory(filepath.Dir(d.path)); err != nil {
		return err
	}
	d.identity = Identity{Node: id.NewNode(d.options.Random)}
	return nil
}

// sweep finishes removals that a crash interrupted.
func (d *Directory) sweep() error {
	if _, err := removeUnfinished(d.replicas()); err != nil {
		return err
	}
	for _, r := range d.register.ids {
		if r.Removed {
			if err := os.RemoveAll(d.replica(r.Partition, r.Replica)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Directory) setIdentity(i Identity) error {
	if err := replaceFile(d.options.system, filepath.Join(d.path, identityName), i.AppendTo(nil)); err != nil {
		return fmt.Errorf("%s: %w", identityName, err)
	}
	d.identity = i
	return nil
}

func (d *Directory) replicas() string { return filepath.Join(d.path, replicasName) }

func (d *Directory) replica(p id.Partition, r id.Replica) string {
	return filepath.Join(d.replicas(), replicaName(p, r))
}

const replicasName = "replicas"

// replicaName is the name of a replica's directory.
func replicaName(p id.Partition, r id.Replica) string {
	return fmt.Sprintf("t%d-p%d-r%d", uint64(p.Topic), p.Number, uint64(r))
}

// parseReplicaName reads it.
func parseReplicaName(name string) (p id.Partition, r id.Replica, ok bool) {
	var topic, replica uint64
	if _, err := fmt.Sscanf(name, "t%d-p%d-r%d", &topic, &p.Number, &replica); err != nil {
		return id.Partition{}, 0, false
	}
	p.Topic, r = id.TopicID(topic), id.Replica(replica)
	return p, r, name == replicaName(p, r)
}

// Identity tells whose directory this is.
func (d *Directory) Identity() Identity {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.identity
}

// SetCluster makes the directory belong to a cluster as of an epoch, durably. A directory belongs to one cluster for ever, and its
// epoch is another matter (epoch.go): it is an error to name others.
func (d *Directory) SetCluster(c id.Cluster, e id.Epoch) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := d.identity
	switch {
	case next.Cluster == c && next.Epoch == e:
		return nil
	case next.Cluster == 0:
		next.Cluster, next.Epoch = c, e
		return d.setIdentity(next)
	}
	return fmt.Errorf("data directory %s belongs to cluster %v, epoch %v, it cannot join %v, epoch %v: use an empty directory",
		d.path, next.Cluster, next.Epoch, c, e)
}

// Registered tells whether a replica was ever created here, removed ones included.
func (d *Directory) Registered(r id.Replica) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.register.ids[r]
	return ok
}

// Replicas returns the replicas of a partition that were created here and not removed, in ascending order.
func (d *Directory) Replicas(p id.Partition) []id.Replica {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []id.Replica
	for r, found := range d.register.ids { // any order: sorted below
		if found.Partition == p && !found.Removed {
			all = append(all, r)
		}
	}
	slices.Sort(all)
	return all
}

// Held returns every replica that was created here and not removed, with its partition.
func (d *Directory) Held() map[id.Replica]id.Partition {
	d.mu.Lock()
	defer d.mu.Unlock()
	held := make(map[id.Replica]id.Partition, len(d.register.ids))
	for r, found := range d.register.ids { // any order: into a map
		if !found.Removed {
			held[r] = found.Partition
		}
	}
	return held
}

// Space tells how much room the disk has for this user.
func (d *Directory) Space() (partitions.Space, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(d.path, &s); err != nil {
		return partitions.Space{}, fmt.Errorf("room on the disk of %s: %w", d.path, err)
	}
	block := int64(s.Bsize)
	return partitions.Space{Directory: d.path, Free: int64(s.Bavail) * block, Total: int64(s.Blocks) * block}, nil
}

// Close releases the directory. Every log must have been closed: otherwise it returns an error that unwraps to ErrOpen.
func (d *Directory) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.open) > 0 {
		return fmt.Errorf("data directory %s: %d logs: %w", d.path, len(d.open), ErrOpen)
	}
	return errors.Join(d.register.file.Close(), d.lock.Close())
}
