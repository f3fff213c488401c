package remote

import (
	"encoding/binary"
	"errors"
	"fmt"

	"troupe/partitions/id"
)

// Identity is which broker this is, in which of its lives.
type Identity struct {
	Cluster id.Cluster
	Node    id.Node
	// Incarnation counts the node's starts, from 1, durably before its first message.
	Incarnation uint64
	// Nonce is drawn anew at each start: it tells one life from another that claims the same incarnation.
	Nonce uint64
	// Epoch is that of the cluster. A catalog that lost its majority goes on in a later one, and brokers of two never talk.
	Epoch id.Epoch
}

// What a handshake is refused for.
var (
	errHandshake = errors.New("no handshake of Troupe")
	errVersion   = errors.New("incompatible version")
	errCluster   = errors.New("another cluster")
	errEpoch     = errors.New("another epoch of the cluster")
	errTwin      = errors.New("an older start or a copy of a broker")
)

// A hello is what both sides of a link say first, as metadata of its stream, big endian:
//
//	 0       4         5          8         16     24            32      40      48
//	+-------+---------+----------+---------+------+-------------+-------+-------+
//	| magic | version | zero × 3 | cluster | node | incarnation | nonce | epoch |
//	+-------+---------+----------+---------+------+-------------+-------+-------+
//
// magic is F5 'T' 'R' 'L'. Magic and version keep their places in every future version, so that a newer broker is told from
// a stranger. Version 1 has no epoch, which is 0 then, and is said wherever it is: only a recovered cluster is closed to brokers
// that know nothing else.
const (
	helloVersion      = 1
	helloVersionEpoch = 2
	helloBytes        = 40
	helloEpochBytes   = 48
)

var helloMagic = [4]byte{0xF5, 'T', 'R', 'L'}

// appendHello appends the hello of a broker to dst.
func appendHello(dst []byte, i Identity) []byte {
	be := binary.BigEndian
	dst = append(dst, helloMagic[:]...)
	version := byte(helloVersion)
	if i.Epoch != 0 {
		version = helloVersionEpoch
	}
	dst = append(dst, version, 0, 0, 0)
	dst = be.AppendUint64(dst, uint64(i.Cluster))
	dst = be.AppendUint64(dst, uint64(i.Node))
	dst = be.AppendUint64(dst, i.Incarnation)
	dst = be.AppendUint64(dst, i.Nonce)
	if i.Epoch != 0 {
		dst = be.AppendUint64(dst, uint64(i.Epoch))
	}
	return dst
}

// parseHello reads a hello. It returns errHandshake for what is none and errVersion for one of another version.
func parseHello(b []byte) (Identity, error) {
	be := binary.BigEndian
	if len(b) <= 4 || [4]byte(b) != helloMagic {
		return Identity{}, fmt.Errorf("it says nothing that a broker says: %w", errHandshake)
	}
	length := helloBytes
	switch b[4] {
	case helloVersion:
	case helloVersionEpoch:
		length = helloEpochBytes
	default:
		return Identity{}, fmt.Errorf("it speaks version %d of the link, this broker up to version %d: %w", b[4], helloVersionEpoch, errVersion)
	}
	if len(b) != length || [3]byte(b[5:]) != [3]byte{} {
		return Identity{}, fmt.Errorf("its hello is malformed: %w", errHandshake)
	}
	i := Identity{
		Cluster: id.Cluster(be.Uint64(b[8:])), Node: id.Node(be.Uint64(b[16:])),
		Incarnation: be.Uint64(b[24:]), Nonce: be.Uint64(b[32:]),
	}
	if length == helloEpochBytes {
		if i.Epoch = id.Epoch(be.Uint64(b[helloBytes:])); i.Epoch == 0 {
			return Identity{}, fmt.Errorf("its hello leaves out its epoch: %w", errHandshake)
		}
	}
	if !i.whole() {
		return Identity{}, fmt.Errorf("its hello leaves out its cluster, node or incarnation: %w", errHandshake)
	}
	return i, nil
}

// whole tells whether nothing is missing. Any nonce is one.
func (i Identity) whole() bool { return i.Cluster != 0 && i.Node != 0 && i.Incarnation != 0 }
