package simulation

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Mirror stands beside a directory of real files and knows what a power loss would leave of it: the bytes of each file as of
// its last sync, and the names in each directory as of that one's. It is told of syncs; what happens in between it finds out
// by looking, at the latest when the broker's life ends. It outlives that, and lays the files out again for the next one.
//
// It panics where the machine that runs the simulation fails it.
type Mirror struct {
	path string // where the files are; empty while there are none
	top  *inode
}

// inode is a file or a directory, whatever it is called.
type inode struct {
	// handle keeps the operating system from giving a new file the identity of this one. Nil while it is not laid out.
	handle *os.File
	info   os.FileInfo
	file   *file             // nil for a directory; its data and dirty are as of the last look
	names  map[string]*inode // of a directory, as of the last look
	// durable are the names as of the directory's last sync.
	durable map[string]*inode
}

func newMirror() *Mirror { return &Mirror{top: newDirectory()} }

func newDirectory() *inode { return &inode{names: map[string]*inode{}, durable: map[string]*inode{}} }

// demand stops a simulation that its machine has failed.
func demand(err error) {
	if err != nil {
		panic(err)
	}
}

// layOut makes real files, in a new directory.
func (m *Mirror) layOut(path string) {
	m.path = path
	m.top.layOut(path)
}

func (p *inode) layOut(path string) {
	if p.file != nil {
		demand(os.WriteFile(path, p.file.data, 0o640))
	} else {
		demand(os.Mkdir(path, 0o750))
		for _, name := range sortedKeys(p.names) {
			p.names[name].layOut(filepath.Join(path, name))
		}
	}
	p.meet(path)
}

// meet takes hold of what a path leads to.
func (p *inode) meet(path string) {
	var err error
	p.handle, err = os.Open(path)
	demand(err)
	p.info, err = p.handle.Stat()
	demand(err)
}

// leave removes the files of this life. What they held when they were captured stays known.
func (m *Mirror) leave() {
	if m.path == "" {
		return
	}
	m.top.release()
	demand(os.RemoveAll(m.path))
	m.path = ""
}

// release lets go of a file, or of a directory with all that is in it.
func (p *inode) release() {
	if p.handle != nil {
		p.handle.Close() // it was only read from
		p.handle = nil
	}
	for _, inside := range p.names { // any order: nothing depends on it
		inside.release()
	}
}

// capture notes everything as it is at this moment: names, and the bytes of all files.
func (m *Mirror) capture() { m.top.capture(m.path) }

func (p *inode) capture(path string) {
	if p.file != nil {
		p.file.data = p.read(0)
		p.file.compare()
		return
	}
	p.look(path)
	for name, inside := range p.names { // any order: each is noted alone
		inside.capture(filepath.Join(path, name))
	}
}

// compare notes the pages in which the bytes differ from the synced ones.
func (f *file) compare() {
	clear(f.dirty)
	page := func(b []byte, n int) []byte {
		return b[min(n*pageSize, len(b)):min((n+1)*pageSize, len(b))]
	}
	for n := range (max(len(f.data), len(f.synced)) + pageSize - 1) / pageSize {
		if !bytes.Equal(page(f.data, n), page(f.synced, n)) {
			f.dirty[n] = true
		}
	}
}

// look notes the names in a directory. What has got another name is known again.
func (p *inode) look(path string) {
	entries, err := os.ReadDir(path)
	demand(err)
	now := make(map[string]*inode, len(entries))
	kept := map[*inode]bool{}
	for _, e := range entries {
		info, err := e.Info()
		demand(err)
		found := p.recognise(e.Name(), info)
		if found == nil {
			found = &inode{file: &file{dirty: map[int]bool{}}}
			if info.IsDir() {
				found = newDirectory()
			}
			found.meet(filepath.Join(path, e.Name()))
		}
		now[e.Name()], kept[found] = found, true
	}
	for _, old := range p.names { // any order: nothing depends on it
		if !kept[old] {
			old.release()
			old.forgetUnsynced()
		}
	}
	p.names = now
}

// recognise finds the inode that a name leads to among those known, whatever their names were.
func (p *inode) recognise(name string, info os.FileInfo) *inode {
	if same := p.names[name]; same != nil && os.SameFile(same.info, info) {
		return same
	}
	for _, other := range p.names { // any order: one can be the same only
		if os.SameFile(other.info, info) {
			return other
		}
	}
	return nil
}

// forgetUnsynced settles what a file or directory that has lost its name comes back with, if it does.
func (p *inode) forgetUnsynced() {
	if p.file != nil {
		p.file.data = slices.Clone(p.file.synced)
		clear(p.file.dirty)
	}
	for _, inside := range p.durable { // any order: each is settled alone
		inside.forgetUnsynced()
	}
}

// find returns what a path leads to; nil where that is not within the mirrored directory, or there is nothing. It looks at
// directories where the names known do not lead there.
func (m *Mirror) find(path string) *inode {
	if path == m.path {
		return m.top
	}
	rest, within := strings.CutPrefix(path, m.path+"/")
	if !within {
		return nil
	}
	at, p := m.path, m.top
	for _, name := range strings.Split(rest, "/") {
		info, err := os.Lstat(filepath.Join(at, name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		demand(err)
		if next := p.names[name]; next == nil || !os.SameFile(next.info, info) {
			p.look(at)
		}
		at, p = filepath.Join(at, name), p.names[name]
	}
	return p
}

// size tells how long a file is now.
func (p *inode) size() int64 {
	info, err := p.handle.Stat()
	demand(err)
	return info.Size()
}

// read returns what a file holds from a position on.
func (p *inode) read(from int64) []byte {
	b := make([]byte, max(p.size()-from, 0))
	_, err := p.handle.ReadAt(b, from)
	if err != io.EOF {
		demand(err)
	}
	return b
}

// sync notes that all bytes of a file are durable. Those in front of from are so already.
func (p *inode) sync(from int64) {
	p.file.synced = append(p.file.synced[:from], p.read(from)...)
}

// syncNames notes that a directory's names are durable.
func (p *inode) syncNames(path string) {
	p.look(path)
	p.durable = make(map[string]*inode, len(p.names))
	for name, inside := range p.names {
		p.durable[name] = inside
	}
}

// forget is what a kernel does after a failed sync: the pages are dropped, and reads show what the disk has.
func (p *inode) forget(path string) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	demand(err)
	_, err = f.Write(p.file.synced)
	demand(err)
	demand(f.Close())
}
