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
}

// What a handshake is refused for.
var (
	errHandshake = errors.New("no handshake of Troupe")
	errVersion   = errors.New("incompatible version")
	errCluster   = errors.New("another cluster")
	errTwin      = errors.New("an older start or a copy of a broker")
)

// A hello is what both sides of a link say first, as metadata of its stream, big endian:
//
//	 0       4         5          8         16     24            32      40
//	+-------+---------+----------+---------+------+-------------+-------+
//	| magic | version | zero × 3 | cluster | node | incarnation | nonce |
//	+-------+---------+----------+---------+------+-------------+-------+
//
// magic is F5 'T' 'R' 'L'. Magic and version keep their places in every future version, so that a newer broker is told from
// a stranger.
const (
	helloVersion = 1
	helloBytes   = 40
)

var helloMagic = [4]byte{0xF5, 'T', 'R', 'L'}

// appendHello appends the hello of a broker to dst.
func appendHello(dst []byte, i Identity) []byte {
	be := binary.BigEndian
	dst = append(dst, helloMagic[:]...)
	dst = append(dst, helloVersion, 0, 0, 0)
	dst = be.AppendUint64(dst, uint64(i.Cluster))
	dst = be.AppendUint64(dst, uint64(i.Node))
	dst = be.AppendUint64(dst, i.Incarnation)
	return be.AppendUint64(dst, i.Nonce)
}

// parseHello reads a hello. It returns errHandshake for what is none and errVersion for one of another version.
func parseHello(b []byte) (Identity, error) {
	be := binary.BigEndian
	if len(b) <= 4 || [4]byte(b) != helloMagic {
		return Identity{}, fmt.Errorf("it says nothing that a broker says: %w", errHandshake)
	}
	if b[4] != helloVersion {
		return Identity{}, fmt.Errorf("it speaks version %d of the link, this broker version %d: %w", b[4], helloVersion, errVersion)
	}
	if len(b) != helloBytes || [3]byte(b[5:]) != [3]byte{} {
		return Identity{}, fmt.Errorf("its hello is malformed: %w", errHandshake)
	}
	i := Identity{
		Cluster: id.Cluster(be.Uint64(b[8:])), Node: id.Node(be.Uint64(b[16:])),
		Incarnation: be.Uint64(b[24:]), Nonce: be.Uint64(b[32:]),
	}
	if !i.whole() {
		return Identity{}, fmt.Errorf("its hello leaves out its cluster, node or incarnation: %w", errHandshake)
	}
	return i, nil
}

// whole tells whether nothing is missing. Any nonce is one.
func (i Identity) whole() bool { return i.Cluster != 0 && i.Node != 0 && i.Incarnation != 0 }
