package wal

import (
	"encoding/binary"
	"fmt"

	"troupe/partitions"
	"troupe/partitions/id"
)

// The identity file of a data directory, little endian:
//
//	 0       4        8         9       10         16     24        32            40      48
//	+-------+--------+---------+-------+----------+------+---------+-------------+-------+
//	| magic | crc32c | version | flags | zero × 6 | node | cluster | incarnation | epoch |
//	+-------+--------+---------+-------+----------+------+---------+-------------+-------+
//	        |        |<------------------- covered by the checksum --------------------|
//
// Version 1 has no flags and no epoch, which is 0 then, and is written wherever it is: only a cluster whose catalog was
// recovered is closed to the programs that know nothing else. Version 2 has an epoch above 0. Flag 1: the recovery into that epoch
// is not finished.
const (
	identityVersion      = 1
	identityVersionEpoch = 2
	identityBytes        = 40
	identityEpochBytes   = 48
	identityRecovering   = 1
	identityName         = "identity"
)

var identityMagic = [4]byte{0xF5, 'T', 'R', 'I'}

// Identity is whose data directory this is.
type Identity struct {
	Node    id.Node
	Cluster id.Cluster // 0: none yet
	// Incarnation counts the openings of the directory, from 1. It tells a node from a stale copy of it.
	Incarnation uint64
	// Epoch is that of the cluster: whose catalog is followed. It never falls.
	Epoch id.Epoch
	// Recovering: the catalog's log for Epoch, which is above 0, is being made. No broker may run here before it is.
	Recovering bool
}

// AppendTo appends the bytes of an identity file to dst and returns the result.
func (i Identity) AppendTo(dst []byte) []byte {
	le := binary.LittleEndian
	at := len(dst)
	version, flags := byte(identityVersion), byte(0)
	if i.Epoch != 0 {
		version = identityVersionEpoch
	}
	if i.Recovering {
		flags = identityRecovering
	}
	dst = append(dst, identityMagic[:]...)
	dst = append(dst, 0, 0, 0, 0, version, flags, 0, 0, 0, 0, 0, 0)
	dst = le.AppendUint64(dst, uint64(i.Node))
	dst = le.AppendUint64(dst, uint64(i.Cluster))
	dst = le.AppendUint64(dst, i.Incarnation)
	if version == identityVersionEpoch {
		dst = le.AppendUint64(dst, uint64(i.Epoch))
	}
	le.PutUint32(dst[at+4:], checksum(0, dst[at+8:]))
	return dst
}

// ParseIdentity reads an identity file. Its errors unwrap to partitions.ErrDamaged or partitions.ErrNewer.
func ParseIdentity(b []byte) (Identity, error) {
	le := binary.LittleEndian
	if len(b) < identityBytes || [4]byte(b) != identityMagic || le.Uint32(b[4:]) != checksum(0, b[8:]) {
		return Identity{}, fmt.Errorf("checksum does not verify: %w", partitions.ErrDamaged)
	}
	i := Identity{
		Node:        id.Node(le.Uint64(b[16:])),
		Cluster:     id.Cluster(le.Uint64(b[24:])),
		Incarnation: le.Uint64(b[32:]),
	}
	if b[8] == identityVersionEpoch && len(b) == identityEpochBytes {
		i.Epoch, i.Recovering = id.Epoch(le.Uint64(b[identityBytes:])), b[9] == identityRecovering
	}
	if string(i.AppendTo(nil)) != string(b) { // one identity has one form
		return Identity{}, fmt.Errorf("version %d, flags %#x: %w", b[8], b[9], partitions.ErrNewer)
	}
	return i, nil
}
