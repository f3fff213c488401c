package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"troupe/partitions"
	"troupe/partitions/id"
)

// The lives file of a data directory: in which start every other broker was met last. A broker whose directory was put back to
// an older copy knows nothing of what it has acknowledged since, and cannot know that; those who met it can, also when all of
// them were started again meanwhile. Little endian, a record for each node, in the order of nodes:
//
//	 0       4        8         9          16     24            32      40
//	+-------+--------+---------+----------+------+-------------+-------+----------
//	| magic | crc32c | version | zero × 7 | node | incarnation | nonce | node ...
//	+-------+--------+---------+----------+------+-------------+-------+----------
//	        |        |<--------------- covered by the checksum ------------------
const (
	livesVersion = 1
	livesHeader  = 16
	lifeBytes    = 24
	livesName    = "lives"
)

var livesMagic = [4]byte{0xF5, 'T', 'R', 'V'}

// Life is one start of another broker.
type Life struct {
	Node               id.Node
	Incarnation, Nonce uint64
}

// AppendLives appends the bytes of a lives file, of lives in ascending order of their nodes, to dst and returns the result.
func AppendLives(dst []byte, lives []Life) []byte {
	le := binary.LittleEndian
	at := len(dst)
	dst = append(dst, livesMagic[:]...)
	dst = append(dst, 0, 0, 0, 0, livesVersion, 0, 0, 0, 0, 0, 0, 0)
	for _, l := range lives {
		dst = le.AppendUint64(dst, uint64(l.Node))
		dst = le.AppendUint64(dst, l.Incarnation)
		dst = le.AppendUint64(dst, l.Nonce)
	}
	le.PutUint32(dst[at+4:], checksum(0, dst[at+8:]))
	return dst
}

// ParseLives reads a lives file. Its errors unwrap to partitions.ErrDamaged or partitions.ErrNewer.
func ParseLives(b []byte) ([]Life, error) {
	le := binary.LittleEndian
	if len(b) < livesHeader || [4]byte(b) != livesMagic || le.Uint32(b[4:]) != checksum(0, b[8:]) {
		return nil, fmt.Errorf("checksum does not verify: %w", partitions.ErrDamaged)
	}
	var lives []Life
	for at := livesHeader; at+lifeBytes <= len(b); at += lifeBytes {
		lives = append(lives, Life{id.Node(le.Uint64(b[at:])), le.Uint64(b[at+8:]), le.Uint64(b[at+16:])})
	}
	ordered := slices.IsSortedFunc(lives, func(a, b Life) int {
		if a.Node < b.Node {
			return -1
		}
		return 1 // of one node there is one life
	})
	if !ordered || string(AppendLives(nil, lives)) != string(b) {
		return nil, fmt.Errorf("version %d, %d bytes: %w", b[8], len(b), partitions.ErrNewer)
	}
	return lives, nil
}

// loadLives reads whom this broker has met. Who cannot read it goes on without: it matters only where another broker's
// directory was tampered with, too.
func (d *Directory) loadLives() (map[id.Node]Life, error) {
	lives := map[id.Node]Life{}
	b, err := os.ReadFile(filepath.Join(d.path, livesName))
	if errors.Is(err, os.ErrNotExist) {
		return lives, nil
	}
	var all []Life
	if err == nil {
		all, err = ParseLives(b)
	}
	if err != nil {
		return lives, fmt.Errorf("%s: %w", filepath.Join(d.path, livesName), err)
	}
	for _, l := range all {
		lives[l.Node] = l
	}
	return lives, nil
}

// Met returns in which start each other broker was met last, ordered by node. The error tells that it cannot be known; Meet begins
// anew then.
func (d *Directory) Met() ([]Life, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	lives, err := d.loadLives()
	d.lives = lives
	return d.sortedLives(), err
}

// Meet makes durable in which start another broker was met. Met must have been called.
func (d *Directory) Meet(l Life) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lives[l.Node] == l {
		return nil
	}
	d.lives[l.Node] = l
	return replaceFile(d.options.system, filepath.Join(d.path, livesName), AppendLives(nil, d.sortedLives()))
}

func (d *Directory) sortedLives() []Life {
	var all []Life
	for _, n := range slices.Sorted(maps.Keys(d.lives)) {
		all = append(all, d.lives[n])
	}
	return all
}
