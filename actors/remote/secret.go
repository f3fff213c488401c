package remote

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
)

// ErrSecret is returned for text that holds no secret, or one that could be guessed.
var ErrSecret = errors.New("remote: no usable secret")

const (
	// SecretBytes is the least length of a secret.
	SecretBytes = 32
	mostSecret  = 1024
	mostSecrets = 16
)

// What is derived from a secret is told apart by these words, so that one thing derived tells nothing about another. They
// must never change: brokers of two versions meet under one secret.
const (
	gossipPurpose    = "troupe gossip key"
	authorityPurpose = "troupe peer authority"
)

// Secret is what all brokers of a cluster share, and nobody else knows: the text of one line of a secret file. Its zero value
// is none. It never prints itself.
type Secret struct{ text string }

// NewSecret draws a secret and returns it as a line of a secret file has it, without the line's end.
func NewSecret(random io.Reader) (string, error) {
	drawn := make([]byte, SecretBytes)
	if _, err := io.ReadFull(random, drawn); err != nil {
		return "", fmt.Errorf("draw a secret: %w", err)
	}
	return base64.StdEncoding.EncodeToString(drawn), nil
}

// ParseSecrets reads a secret file: one secret a line, the one to use first, then others that are accepted too. White space
// around a secret, empty lines and lines that begin with # do not count. It returns ErrSecret unless all the rest are
// secrets. No error repeats what it read.
func ParseSecrets(file []byte) ([]Secret, error) {
	var all []Secret
	for i, line := range bytes.Split(file, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if err := checkSecret(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		if s := (Secret{string(line)}); !slices.Contains(all, s) {
			all = append(all, s)
		}
		if len(all) > mostSecrets {
			return nil, fmt.Errorf("more than %d secrets; remove those that no broker uses any more: %w", mostSecrets, ErrSecret)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no secret in it; `troupe secret new` makes one: %w", ErrSecret)
	}
	return all, nil
}

// checkSecret refuses what is short enough to be guessed, and bytes that an editor or a shell would change unseen.
func checkSecret(line []byte) error {
	switch {
	case len(line) < SecretBytes:
		return fmt.Errorf("a secret of %d bytes, shorter than %d, could be guessed; `troupe secret new` makes a good one: %w",
			len(line), SecretBytes, ErrSecret)
	case len(line) > mostSecret:
		return fmt.Errorf("a secret of %d bytes, at most %d; `troupe secret new` makes a good one: %w", len(line), mostSecret, ErrSecret)
	case bytes.ContainsFunc(line, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Errorf("a secret is one word of printable ASCII; `troupe secret new` makes a good one: %w", ErrSecret)
	}
	return nil
}

// GossipKey returns the key of 32 bytes that encrypts gossip.
func (s Secret) GossipKey() []byte { return s.derive(gossipPurpose, 32) }

// authorityKey returns the private key of the authority that signs brokers' certificates: the same on every broker.
func (s Secret) authorityKey() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(s.derive(authorityPurpose, ed25519.SeedSize))
}

func (s Secret) derive(purpose string, size int) []byte {
	key, err := hkdf.Key(sha256.New, []byte(s.text), nil, purpose, size)
	if err != nil {
		panic(fmt.Sprintf("remote: derive %d bytes from a secret: %v", size, err)) // sizes are constants that HKDF permits
	}
	return key
}

// String hides the secret.
func (s Secret) String() string { return "(hidden)" }

// GoString hides the secret.
func (s Secret) GoString() string { return "remote.Secret(hidden)" }
