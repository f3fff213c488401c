package simulation

import (
	"fmt"
	"io/fs"
	"slices"
	"sort"
	"strings"
)

// pageSize is the unit in which an operating system writes a file back to its disk.
const pageSize = 4096

// Volume is a file system in memory, made of real bytes, that keeps apart what a program sees and what a power loss would
// leave. Names are full paths; a directory is whatever stands before the last slash of a name.
type Volume struct {
	files map[string]*file // as a program sees them
	// durable is what the directories on disk say; pending is what happened to them since they were last synced, in order.
	durable map[string]*file
	pending []rename
}

// file is one file's bytes. Where dirty has no page, data and synced are the same.
type file struct {
	data   []byte // as a program reads them
	synced []byte // as of the last sync
	dirty  map[int]bool
}

// rename is one change of a directory: a file got a name (from empty), lost it (to empty), or changed it.
type rename struct {
	from, to string
	file     *file
}

// NewVolume returns an empty volume.
func NewVolume() *Volume {
	return &Volume{files: map[string]*file{}, durable: map[string]*file{}}
}

// Create makes an empty file, replacing one of that name.
func (v *Volume) Create(name string) {
	f := &file{dirty: map[int]bool{}}
	v.files[name] = f
	v.pending = append(v.pending, rename{to: name, file: f})
}

// Exists tells whether a program finds a file.
func (v *Volume) Exists(name string) bool { return v.files[name] != nil }

// ReadFile returns a file's bytes, which the caller must not change. It returns fs.ErrNotExist where there is none.
func (v *Volume) ReadFile(name string) ([]byte, error) {
	if f := v.files[name]; f != nil {
		return f.data, nil
	}
	return nil, fmt.Errorf("read %s: %w", name, fs.ErrNotExist)
}

// Size tells how long a file is; 0 where there is none.
func (v *Volume) Size(name string) int64 {
	if f := v.files[name]; f != nil {
		return int64(len(f.data))
	}
	return 0
}

// Synced returns the bytes of a file that a power loss cannot take any more: none if its name could be lost.
func (v *Volume) Synced(name string) []byte {
	if f := v.durable[name]; f != nil {
		return f.synced
	}
	return nil
}

// WriteAt writes bytes, extending the file as needed.
func (v *Volume) WriteAt(name string, at int64, b []byte) error {
	f := v.files[name]
	if f == nil {
		return fmt.Errorf("write %s: %w", name, fs.ErrNotExist)
	}
	if len(b) == 0 {
		return nil
	}
	if end := int(at) + len(b); end > len(f.data) {
		f.data = append(f.data, make([]byte, end-len(f.data))...)
	}
	copy(f.data[at:], b)
	for page := int(at) / pageSize; page <= (int(at)+len(b)-1)/pageSize; page++ {
		f.dirty[page] = true
	}
	return nil
}

// Append writes bytes behind the last.
func (v *Volume) Append(name string, b []byte) error {
	f := v.files[name]
	if f == nil {
		return fmt.Errorf("append %s: %w", name, fs.ErrNotExist)
	}
	return v.WriteAt(name, int64(len(f.data)), b)
}

// Truncate cuts a file. Like a name, a file's length survives a power loss only once it is synced; the simulation lets a cut
// survive at once or not at all.
func (v *Volume) Truncate(name string, size int64) error {
	f := v.files[name]
	if f == nil {
		return fmt.Errorf("truncate %s: %w", name, fs.ErrNotExist)
	}
	for page := int(size) / pageSize; page <= len(f.data)/pageSize; page++ {
		f.dirty[page] = true
	}
	f.data = f.data[:size:size]
	return nil
}

// Sync makes a file's bytes durable; not its name.
func (v *Volume) Sync(name string) error {
	f := v.files[name]
	if f == nil {
		return fmt.Errorf("sync %s: %w", name, fs.ErrNotExist)
	}
	f.sync()
	return nil
}

func (f *file) sync() {
	if len(f.synced) > len(f.data) {
		f.synced = f.synced[:len(f.data)]
	} else {
		f.synced = append(f.synced, make([]byte, len(f.data)-len(f.synced))...)
	}
	for page := range f.dirty {
		low := min(page*pageSize, len(f.data))
		copy(f.synced[low:], f.data[low:min(low+pageSize, len(f.data))])
	}
	clear(f.dirty)
}

// Forget is what a kernel does after a failed sync: the pages are dropped, and reads show what the disk has.
func (v *Volume) Forget(name string) {
	if f := v.files[name]; f != nil {
		f.data = slices.Clone(f.synced)
		clear(f.dirty)
	}
}

// Rename gives a file another name, replacing what had it.
func (v *Volume) Rename(from, to string) error {
	f := v.files[from]
	if f == nil {
		return fmt.Errorf("rename %s: %w", from, fs.ErrNotExist)
	}
	delete(v.files, from)
	v.files[to] = f
	v.pending = append(v.pending, rename{from: from, to: to, file: f})
	return nil
}

// Unlink takes a file's name away.
func (v *Volume) Unlink(name string) {
	delete(v.files, name)
	v.pending = append(v.pending, rename{from: name})
}

// SyncDirectory makes every change of the names directly in a directory durable.
func (v *Volume) SyncDirectory(directory string) {
	v.pending = slices.DeleteFunc(v.pending, func(r rename) bool {
		if r.directory() != directory {
			return false
		}
		r.apply(v.durable)
		return true
	})
}

// List returns the names directly in a directory, without it, sorted.
func (v *Volume) List(directory string) []string {
	var names []string
	for name := range v.files {
		if directoryOf(name) == directory {
			names = append(names, name[len(directory)+1:])
		}
	}
	sort.Strings(names)
	return names
}

func (r rename) apply(names map[string]*file) {
	if r.from != "" {
		delete(names, r.from)
	}
	if r.to != "" {
		names[r.to] = r.file
	}
}

// directory is where the change happens; nothing is ever moved from one to another.
func (r rename) directory() string { return directoryOf(max(r.from, r.to)) }

func directoryOf(name string) string {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i]
	}
	return ""
}
