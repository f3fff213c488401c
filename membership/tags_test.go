package membership

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/memberlist"

	"troupe/partitions/id"
)

// most is a member of which nothing could be longer.
func most() Member {
	address := strings.Repeat("h", MaxAddressBytes-len(":65535")) + ":65535"
	return Member{Incarnation: math.MaxUint64, Nonce: math.MaxUint64, Cluster: math.MaxUint64, Epoch: math.MaxUint64, Gateway: address, Peer: address,
		Rack: strings.Repeat("r", MaxRackBytes), Version: strings.Repeat("v", MaxVersionBytes), Catalog: true}
}

func TestTagsComeBack(t *testing.T) {
	for _, want := range []Member{
		{},
		{Incarnation: 3, Nonce: 0xabc, Cluster: 7, Gateway: "[::1]:9642", Peer: "broker-1:9643", Rack: "r 1", Version: "v0.1", Catalog: true},
		most(),
	} {
		tags, err := encodeTags(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeTags(tags)
		if err != nil || got != want {
			t.Fatalf("%v, (-want +got):\n%s", err, cmp.Diff(want, got))
		}
	}
}

// TestTagsGolden pins the tags that brokers of other versions read.
func TestTagsGolden(t *testing.T) {
	got, err := encodeTags(Member{Incarnation: 3, Nonce: 0xabc, Cluster: 7, Epoch: 0x200000001, Gateway: "a:1", Peer: "b:2", Rack: "r", Version: "v", Catalog: true})
	want := map[string]string{"f": "1", "i": "3", "n": "abc", "c": "7", "e": "200000001", "g": "a:1", "p": "b:2", "r": "r", "v": "v", "k": "1"}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Fatalf("%v, tags (-want +got):\n%s", err, d)
	}
	if bare, err := encodeTags(Member{Cluster: 7}); err != nil || bare["e"] != "" {
		t.Fatalf("%v, %v", bare, err)
	}
}

func TestLongestTagsFit(t *testing.T) {
	tags, err := encodeTags(most())
	if err != nil {
		t.Fatal(err)
	}
	// Serf's form: a magic byte and a msgpack map, in which a text of up to 31 bytes costs 1 more, of up to 255 at most 3.
	bytes := 1 + 3
	for name, value := range tags {
		bytes += 1 + len(name) + 3 + len(value)
	}
	if bytes > memberlist.MetaMaxSize {
		t.Fatalf("the longest tags take %d bytes of %d", bytes, memberlist.MetaMaxSize)
	}
	m := most()
	m.Node = 1
	open(t, Options{Self: m}) // serf agrees
}

func TestTagsAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		change map[string]string
		want   error
	}{
		"no form":          {map[string]string{"f": ""}, ErrTags},
		"a bad form":       {map[string]string{"f": "one"}, ErrTags},
		"a newer form":     {map[string]string{"f": "2"}, ErrNewer},
		"no incarnation":   {map[string]string{"i": ""}, ErrTags},
		"a sign":           {map[string]string{"i": "-1"}, ErrTags},
		"leading zeros":    {map[string]string{"n": "0a"}, ErrTags},
		"too many digits":  {map[string]string{"n": "10000000000000000"}, ErrTags},
		"cluster zero":     {map[string]string{"c": "0"}, ErrTags},
		"half a replica":   {map[string]string{"k": "0"}, ErrTags},
		"no address":       {map[string]string{"p": "nowhere"}, ErrTags},
		"a long address":   {map[string]string{"g": strings.Repeat("h", MaxAddressBytes) + ":1"}, ErrTags},
		"a long rack":      {map[string]string{"r": strings.Repeat("r", MaxRackBytes+1)}, ErrTags},
		"a long version":   {map[string]string{"v": strings.Repeat("v", MaxVersionBytes+1)}, ErrTags},
		"what is not ours": {map[string]string{"role": "x"}, nil},
	} {
		tags, err := encodeTags(Member{Incarnation: 1, Nonce: 2, Cluster: 3})
		if err != nil {
			t.Fatal(err)
		}
		for key, value := range test.change {
			if tags[key] = value; value == "" {
				delete(tags, key)
			}
		}
		if _, err := decodeTags(tags); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzDecodeTags: whatever is accepted is within bounds and encodes to the same again.
func FuzzDecodeTags(f *testing.F) {
	f.Add("1", "1", "2", "3", "a:1", "b:2", "r", "v", "1")
	f.Add("2", "", "0", "ffffffffffffffff", ":0", "[::1]:1", "", "", "")
	f.Fuzz(func(t *testing.T, form, incarnation, nonce, cluster, gateway, peer, rack, version, holds string) {
		tags := map[string]string{"f": form, "i": incarnation, "n": nonce, "c": cluster, "g": gateway, "p": peer, "r": rack, "v": version,
			"k": holds}
		for name, value := range tags {
			if value == "" {
				delete(tags, name)
			}
		}
		m, err := decodeTags(tags)
		if err != nil {
			if !errors.Is(err, ErrTags) && !errors.Is(err, ErrNewer) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		again, err := encodeTags(m)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(tags, again); d != "" {
			t.Fatalf("tags (-read +written):\n%s", d)
		}
	})
}

func TestFoundingDecision(t *testing.T) {
	at := func(node id.Node, address string) Member { return Member{Node: node, Gossip: address, Alive: true} }
	list := []seed{{"a", []string{"10.0.0.1:1"}}, {"b", []string{"10.0.0.9:1", "10.0.0.2:1"}}, {"c", []string{"10.0.0.3:1"}}}
	one, two, three := at(1, "10.0.0.1:1"), at(2, "10.0.0.2:1"), at(3, "10.0.0.3:1")
	member := three
	member.Cluster = 7
	for name, test := range map[string]struct {
		self   id.Node
		listed []seed
		seen   []Member
		create bool
		says   string
	}{
		"all, and the lowest":     {1, list, []Member{three, one, two}, true, ""},
		"all, not the lowest":     {2, list, []Member{one, two, three}, false, "a creates"},
		"one is missing":          {1, list, []Member{one, two}, false, "2 of 3 brokers seen; not yet c"},
		"one is not resolved":     {1, []seed{list[0], list[1], {"c", nil}}, []Member{one, two, three}, false, "not yet c"},
		"one has a cluster":       {1, list, []Member{one, two, member}, false, "adopted"},
		"one too many":            {1, list, []Member{one, two, three, at(4, "10.0.0.4:1")}, false, "10.0.0.4:1 waits"},
		"a lower one too many":    {2, list[1:], []Member{one, two, three}, false, "10.0.0.1:1 waits"},
		"self is not listed":      {1, list[1:], []Member{one, two, three}, false, "not this one"},
		"one is listed twice":     {1, append(list[:2:2], list[0]), []Member{one, two, three}, false, "a and a are one"},
		"a cluster of one's own":  {1, list[:1], []Member{one}, true, ""},
		"nobody is to be seen":    {1, list, nil, false, "0 of 3"},
		"self alone is not there": {1, list, []Member{two, three}, false, "not yet a"},
	} {
		create, waiting := founding{self: test.self, listed: test.listed, seen: test.seen}.decide()
		if create != test.create || !strings.Contains(waiting, test.says) {
			t.Errorf("%s: %v, %q", name, create, waiting)
		}
	}
}
