package remote

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestParseSecrets reads secret files as people write them, and refuses what is no secret.
func TestParseSecrets(t *testing.T) {
	long := strings.Repeat("x", mostSecret)
	for _, c := range []struct {
		name, file string
		want       []string // nil: refused
		says       string
	}{
		{"one", first + "\n", []string{first}, ""},
		{"without an end", first, []string{first}, ""},
		{"two", first + "\n" + second + "\n", []string{first, second}, ""},
		{"white space", " \t" + first + " \r\n\r\n\n  " + second + "\v", []string{first, second}, ""},
		{"a comment", "# the old one goes in May, when all have the new one\n" + first, []string{first}, ""},
		{"twice the same", first + "\n" + first, []string{first}, ""},
		{"32 bytes", first[:32], []string{first[:32]}, ""},
		{"the longest", long, []string{long}, ""},
		{"31 bytes", first[:31], nil, "troupe secret new"},
		{"a short second", first + "\nshort", nil, "line 2"},
		{"too long", long + "x", nil, "1025 bytes"},
		{"nothing", "", nil, "troupe secret new"},
		{"only a comment", "# nothing yet, although this line is long enough", nil, "troupe secret new"},
		{"two words", "correct horse battery staple and more", nil, "one word"},
		{"bytes", strings.Repeat("\x80\x01", 20), nil, "printable"},
		{"a zero", first + "\x00", nil, "printable"},
		{"a byte order mark", "\ufeff" + first, nil, "printable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseSecrets([]byte(c.file))
			if c.want == nil {
				if !errors.Is(err, ErrSecret) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), first[:20]) {
					t.Fatalf("%v, %v", got, err)
				}
				return
			}
			if d := cmp.Diff(secrets(c.want...), got, cmp.AllowUnexported(Secret{})); d != "" || err != nil {
				t.Fatalf("%v (-want +got):\n%s", err, d)
			}
		})
	}
	var many strings.Builder
	for i := range mostSecrets + 1 {
		fmt.Fprintf(&many, "%s%d\n", first, i)
	}
	if _, err := ParseSecrets([]byte(many.String())); !errors.Is(err, ErrSecret) {
		t.Errorf("%d secrets: %v", mostSecrets+1, err)
	}
}

// TestNewSecret makes secrets that a file can hold, and none where randomness ends.
func TestNewSecret(t *testing.T) {
	text, err := NewSecret(bytes.NewReader(bytes.Repeat([]byte{0xFF, 0x10}, 16)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseSecrets([]byte(text))
	if err != nil || len(got) != 1 || got[0].text != text {
		t.Errorf("%q reads as %d secrets, %v", text, len(got), err)
	}
	if _, err := NewSecret(io.LimitReader(bytes.NewReader(make([]byte, 99)), 31)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("31 random bytes: %v", err)
	}
}

// TestDerivedKeysStay holds what is derived against bytes that brokers of other versions derive.
func TestDerivedKeysStay(t *testing.T) {
	s := Secret{first}
	got := map[string]string{
		"gossip":    hex.EncodeToString(s.GossipKey()),
		"authority": hex.EncodeToString(s.authorityKey().Public().(ed25519.PublicKey)),
	}
	want := map[string]string{
		"gossip":    "6aad2aaf3c074b785919115fdbd0ed7b1610c6098fd562425fce1a7613857104",
		"authority": "2924a9aac002ffb32dadec0d5b8bbbd862aff682b57478c18414bc32f813296e",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if other := (Secret{second}); bytes.Equal(other.GossipKey(), s.GossipKey()) {
		t.Error("two secrets have one key")
	}
}

// TestSecretsHide prints a secret in every way.
func TestSecretsHide(t *testing.T) {
	log := newMemory()
	s := Secret{first}
	text := fmt.Sprintf("%v %+v %#v %s %q %x %v %#v", s, s, s, s, s, s, []Secret{s}, &s)
	recordSecret(log, s)
	if all := text + log.String(); strings.Contains(all, first[:8]) || strings.Contains(all, hex.EncodeToString([]byte(first))[:16]) {
		t.Errorf("a secret shows: %s", all)
	}
}

func FuzzParseSecrets(f *testing.F) {
	f.Add([]byte(first + "\n" + second))
	f.Add([]byte("# comment\r\n\n \t" + first + " "))
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, file []byte) {
		all, err := ParseSecrets(file)
		if err != nil {
			if !errors.Is(err, ErrSecret) {
				t.Fatal(err)
			}
			return
		}
		var again []string
		for _, s := range all {
			if len(s.text) < SecretBytes || !bytes.Contains(file, []byte(s.text)) || strings.HasPrefix(s.text, "#") {
				t.Fatalf("%q is no secret of %q", s.text, file)
			}
			again = append(again, s.text)
		}
		same, err := ParseSecrets([]byte(strings.Join(again, "\n")))
		if d := cmp.Diff(all, same, cmp.AllowUnexported(Secret{})); d != "" || err != nil {
			t.Fatalf("%v (-first +again):\n%s", err, d)
		}
	})
}
