package accesslog

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

// TestUnchanged holds the bundled file against the checksum that its notice names.
func TestUnchanged(t *testing.T) {
	text, err := Read()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	if got := hex.EncodeToString(sum[:]); got != SHA256 {
		t.Errorf("the log's SHA-256 is %s, want %s", got, SHA256)
	}
}

func TestLines(t *testing.T) {
	lines, err := Lines()
	if err != nil {
		t.Fatal(err)
	}
	clients := map[string]bool{}
	for _, line := range lines {
		clients[string(line.Client)] = true
	}
	if len(lines) != 10_000 || len(clients) != 1_753 {
		t.Errorf("%d lines of %d clients, want 10000 of 1753", len(lines), len(clients))
	}
	if got := string(lines[0].Client); got != "83.149.9.216" {
		t.Errorf("the first line's client is %q", got)
	}
}
