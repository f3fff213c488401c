package membership

import (
	"fmt"
	"net"
	"strconv"

	"troupe/partitions/id"
)

// A member's tags, as serf carries them (a msgpack map of at most 512 bytes, all of them in every change that is gossiped,
// hence the short names and hexadecimal numbers):
//
//	f  form of the tags: 1. A higher one is of a newer Troupe and refused.
//	i  incarnation            n  nonce
//	c  cluster                absent: none yet
//	e  epoch                  absent: 0
//	g  gateway's address      p  peer address
//	r  rack                   v  version
//	k  "1": holds a replica of the catalog
//
// Tags of other names are of a newer Troupe that we understand nevertheless, and ignored. Empty ones are absent.
const tagForm = "1"

// What a broker may say about itself in its tags. Together with the names they stay below serf's limit; a test adds up.
const (
	MaxAddressBytes = 128 // of gateway and peer address
	MaxRackBytes    = 64
	MaxVersionBytes = 64
)

// encodeTags makes a member's tags. It returns ErrOption for a member of which some part is too long or no address.
func encodeTags(m Member) (map[string]string, error) {
	if err := checkTexts(m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOption, err)
	}
	tags := map[string]string{"f": tagForm, "i": hex(m.Incarnation), "n": hex(m.Nonce)}
	set := func(name, value string) {
		if value != "" {
			tags[name] = value
		}
	}
	if m.Cluster != 0 {
		set("c", hex(uint64(m.Cluster)))
	}
	if m.Epoch != 0 {
		set("e", hex(uint64(m.Epoch)))
	}
	set("g", m.Gateway)
	set("p", m.Peer)
	set("r", m.Rack)
	set("v", m.Version)
	if m.Catalog {
		set("k", "1")
	}
	return tags, nil
}

// decodeTags reads what another broker says about itself. Node, Gossip and the state are not in the tags. It returns ErrTags
// or ErrNewer.
func decodeTags(tags map[string]string) (Member, error) {
	switch form, found := tags["f"]; {
	case !found:
		return Member{}, fmt.Errorf("no form: %w", ErrTags)
	case form != tagForm:
		if n, err := strconv.ParseUint(form, 10, 16); err != nil || n <= 1 {
			return Member{}, fmt.Errorf("form %.20q: %w", form, ErrTags)
		}
		return Member{}, fmt.Errorf("gossip of form %s, this program knows %s: %w", form, tagForm, ErrNewer)
	}
	m := Member{Gateway: tags["g"], Peer: tags["p"], Rack: tags["r"], Version: tags["v"]}
	for _, number := range []struct {
		name     string
		optional bool
		to       *uint64
	}{{"i", false, &m.Incarnation}, {"n", false, &m.Nonce}, {"c", true, (*uint64)(&m.Cluster)}, {"e", true, (*uint64)(&m.Epoch)}} {
		text, found := tags[number.name]
		if !found && number.optional {
			continue
		}
		v, err := strconv.ParseUint(text, 16, 64)
		if err != nil || hex(v) != text || v == 0 && number.optional {
			return Member{}, fmt.Errorf("%s is %.20q: %w", number.name, text, ErrTags)
		}
		*number.to = v
	}
	switch holds, found := tags["k"]; {
	case found && holds != "1":
		return Member{}, fmt.Errorf("k is %.20q: %w", holds, ErrTags)
	case found:
		m.Catalog = true
	}
	if err := checkTexts(m); err != nil {
		return Member{}, fmt.Errorf("%w: %w", err, ErrTags)
	}
	return m, nil
}

// checkTexts holds the parts of a member that have no fixed length against their bounds.
func checkTexts(m Member) error {
	for _, address := range []string{m.Gateway, m.Peer} {
		if len(address) > MaxAddressBytes {
			return fmt.Errorf("address %.20q... has %d bytes, at most %d fit", address, len(address), MaxAddressBytes)
		}
		if address == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(address); err != nil {
			return fmt.Errorf("%q is no address", address)
		}
	}
	if len(m.Rack) > MaxRackBytes {
		return fmt.Errorf("rack %.20q... has %d bytes, at most %d fit", m.Rack, len(m.Rack), MaxRackBytes)
	}
	if len(m.Version) > MaxVersionBytes {
		return fmt.Errorf("version %.20q... has %d bytes, at most %d fit", m.Version, len(m.Version), MaxVersionBytes)
	}
	return nil
}

func hex(v uint64) string { return strconv.FormatUint(v, 16) }

// nodeName is the name of a node in serf.
func nodeName(n id.Node) string { return n.String() }
