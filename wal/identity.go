package wal

import (
	"encoding/binary"
	"fmt"

	"troupe/partitions"
	"troupe/partitions/id"
)

// The identity file of a data directory, little endian:
//
//	 0       4        8         9       10         16     24        32            40
//	+-------+--------+---------+-------+----------+------+---------+-------------+
//	| magic | crc32c | version | flags | zero × 6 | node | cluster | incarnation |
//	+-------+--------+---------+-------+----------+------+---------+-------------+
//	        |        |<--------------- covered by the checksum ------------------|
const (
	identityVersion = 1
	identityBytes   = 40
	identityName    = "identity"
)

var identityMagic = [4]byte{0xF5, 'T', 'R', 'I'}

// Identity is whose data directory this is.
type Identity struct {
	Node    id.Node
	Cluster id.Cluster // 0: none yet
	// Incarnation counts the openings of the directory, from 1. It tells a node from a stale copy of it.
	Incarnation uint64
}

// AppendTo appends the bytes of an identity file to dst and returns the result.
func (i Identity) AppendTo(dst []byte) []byte {
	le := binary.LittleEndian
	at := len(dst)
	dst = append(dst, identityMagic[:]...)
	dst = append(dst, 0, 0, 0, 0, identityVersion, 0, 0, 0, 0, 0, 0, 0)
	dst = le.AppendUint64(dst, uint64(i.Node))
	dst = le.AppendUint64(dst, uint64(i.Cluster))
	dst = le.AppendUint64(dst, i.Incarnation)
	le.PutUint32(dst[at+4:], checksum(0, dst[at+8:]))
	return dst
}

// ParseIdentity reads an identity file. Its errors unwrap to partitions.ErrDamaged or partitions.ErrNewer.
func ParseIdentity(b []byte) (Identity, error) {
	le := binary.LittleEndian
	if len(b) < identityBytes || [4]byte(b) != identityMagic || le.Uint32(b[4:]) != checksum(0, b[8:]) {
		return Identity{}, fmt.Errorf("checksum does not verify: %w", partitions.ErrDamaged)
	}
	if b[8] != identityVersion || b[9] != 0 || [6]byte(b[10:]) != [6]byte{} || len(b) != identityBytes {
		return Identity{}, fmt.Errorf("version %d, flags %#x: %w", b[8], b[9], partitions.ErrNewer)
	}
	return Identity{
		Node:        id.Node(le.Uint64(b[16:])),
		Cluster:     id.Cluster(le.Uint64(b[24:])),
		Incarnation: le.Uint64(b[32:]),
	}, nil
}
