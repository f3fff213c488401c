package wal

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"troupe/partitions"
	"troupe/partitions/id"
)

// ErrNoData: a path is neither a data directory nor a replica's.
var ErrNoData = errors.New("wal: no data here")

// Offline is a data directory, or one replica's, that nobody runs on: its logs can be looked at, and repaired. Looking
// changes nothing but the note in the lock file.
type Offline struct {
	// Data is the data directory, locked; "" where a replica's directory stands alone, as a copy does.
	Data string
	// Identity and Register are the data directory's; their errors unwrap to partitions.ErrDamaged, partitions.ErrNewer or
	// os.ErrNotExist.
	Identity    Identity
	IdentityErr error
	Register    []Registration
	RegisterErr error
	// Replicas are those that the path holds, ordered by partition and replica; All are those of its data directory.
	Replicas, All []Stored

	lock *os.File
	sys  system
}

// Stored is one replica's directory.
type Stored struct {
	Path      string
	Partition id.Partition // of topic 0 where neither name nor register tells it
	Replica   id.Replica
	// Registered: the register lists it. Missing: it does, and the directory is gone.
	Registered, Missing bool
}

// String names the replica as its directory is named.
func (s Stored) String() string { return replicaName(s.Partition, s.Replica) }

// OpenOffline locks and lists what path holds: a data directory, or one replica's directory in one or on its own. It returns
// ErrLocked while a broker runs on it, and ErrNoData where there is neither.
func OpenOffline(path, holder string) (*Offline, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	o := &Offline{sys: disk{}}
	alone := !holds(path, identityName, registerName, replicasName)
	data := path
	if alone {
		data = filepath.Dir(filepath.Dir(path))
		if !holds(path, hardStateName) && len(segmentsIn(path)) == 0 {
			return nil, fmt.Errorf("%s: %w: it has neither the %s and %s of a data directory nor the %s of a replica's",
				path, ErrNoData, identityName, registerName, hardStateName)
		}
	}
	if holds(data, identityName, registerName) || !alone {
		if err := o.claim(data, holder); err != nil {
			return nil, err
		}
	}
	if o.Data != "" {
		err = o.list()
	}
	o.Replicas = o.All
	if alone && err == nil {
		err = o.listOne(path)
	}
	if err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return o, nil
}

// holds tells whether a directory has one of some files.
func holds(directory string, names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		_, err := os.Stat(filepath.Join(directory, name))
		return err == nil
	})
}

func segmentsIn(directory string) []id.Index {
	names, err := namesIn(directory)
	if err != nil {
		return nil
	}
	return segmentNames(names)
}

// namesIn lists a directory, but for what is not finished.
func namesIn(directory string) ([]string, error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) != newSuffix {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// claim locks a data directory and reads what it says of itself.
func (o *Offline) claim(data, holder string) error {
	lock, held, err := takeLock(data, holder)
	if errors.Is(err, ErrLocked) {
		return fmt.Errorf("%s: %w%s; stop that one first: logs are looked at and repaired while nobody writes to them", data, err, held)
	}
	if err != nil {
		return err
	}
	o.Data, o.lock = data, lock
	b, err := os.ReadFile(filepath.Join(data, identityName))
	if err == nil {
		o.Identity, err = ParseIdentity(b)
	}
	o.IdentityErr = err
	b, err = os.ReadFile(filepath.Join(data, registerName))
	if err == nil {
		o.Register, err = ParseRegister(b)
	}
	o.RegisterErr = err
	return nil
}

// registered is what the register says of a replica last; ok is false when nothing.
func (o *Offline) registered(r id.Replica) (last Registration, ok bool) {
	for _, record := range o.Register {
		if record.Replica == r {
			last, ok = record, true
		}
	}
	return last, ok
}

// list finds every replica: those registered, and directories that the register does not know.
func (o *Offline) list() error {
	names, err := namesIn(filepath.Join(o.Data, replicasName))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, name := range names {
		if p, r, ok := parseReplicaName(name); ok {
			o.store(Stored{Path: filepath.Join(o.Data, replicasName, name), Partition: p, Replica: r})
		}
	}
	for _, record := range o.Register {
		name := replicaName(record.Partition, record.Replica)
		if last, _ := o.registered(record.Replica); last == record && !record.Removed && !slices.Contains(names, name) {
			o.store(Stored{
				Path: filepath.Join(o.Data, replicasName, name), Partition: record.Partition, Replica: record.Replica, Missing: true,
			})
		}
	}
	slices.SortFunc(o.All, func(a, b Stored) int {
		return cmp.Or(cmp.Compare(a.Partition.Topic, b.Partition.Topic), cmp.Compare(a.Partition.Number, b.Partition.Number),
			cmp.Compare(a.Replica, b.Replica))
	})
	return nil
}

// store takes a replica into the list, unless it was removed for good: the next start of the broker deletes what is left.
func (o *Offline) store(s Stored) {
	last, known := o.registered(s.Replica)
	if known && last.Removed {
		return
	}
	s.Registered = known && last.Partition == s.Partition
	o.All = append(o.All, s)
}

// listOne takes the one replica whose directory was named. A copy may have another name: its hard state tells whose it is.
func (o *Offline) listOne(path string) error {
	s := Stored{Path: path}
	var ok bool
	if s.Partition, s.Replica, ok = parseReplicaName(filepath.Base(path)); !ok {
		b, err := os.ReadFile(filepath.Join(path, hardStateName))
		if err != nil {
			return err
		}
		slot, err := ParseSlots(b)
		if err != nil {
			return fmt.Errorf("%s: neither its name nor its %s tells whose log it is: %w", path, hardStateName, err)
		}
		s.Replica = slot.Replica
	}
	last, known := o.registered(s.Replica)
	if known && last.Removed {
		return fmt.Errorf("%s: %w; nothing of it is wanted any more", path, ErrRemoved)
	}
	s.Registered = known && last.Partition == s.Partition
	o.Replicas = []Stored{s}
	return nil
}

// Close gives the data directory back.
func (o *Offline) Close() error {
	if o.lock == nil {
		return nil
	}
	return o.lock.Close()
}

// Problem tells what of the data directory itself keeps a broker from starting on it.
func (o *Offline) Problem() error {
	switch {
	case o.Data == "":
		return nil
	case o.IdentityErr != nil:
		return fmt.Errorf("%s: %w", identityName, missing(o.IdentityErr))
	case o.RegisterErr != nil:
		return fmt.Errorf("%s: %w", registerName, missing(o.RegisterErr))
	}
	return nil
}

// missing says that a file that is not there is damage.
func missing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("it is gone: %w", partitions.ErrDamaged)
	}
	return err
}
