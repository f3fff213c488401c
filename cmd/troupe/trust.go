package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"troupe/actors/remote"
	"troupe/cmd/troupe/config"
)

// trust is what this broker shows to others and whom it believes. Empty, it stays on loopback.
type trust struct {
	text         []byte // of all files, to see a change
	secrets      []remote.Secret
	certificates *remote.Certificates // nil unless an operator has given some
}

// readTrust reads the files that are configured.
func readTrust(c config.Cluster) (t trust, err error) {
	for _, name := range []string{c.SecretFile, c.Certificate, c.Key, c.Authority} {
		if name == "" {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return trust{}, fmt.Errorf("what brokers know each other by: %w", err)
		}
		t.text = append(append(t.text, text...), 0)
		if name == c.SecretFile {
			if t.secrets, err = remote.ParseSecrets(text); err != nil {
				return trust{}, fmt.Errorf("--secret-file %s: %w", name, err)
			}
		}
	}
	if c.Certificate != "" {
		own, err := remote.ReadCertificates(c.Certificate, c.Key, c.Authority)
		if err != nil {
			return trust{}, err
		}
		t.certificates = &own
	}
	return t, nil
}

// gossipKeys encrypt gossip, whatever secures the links.
func (t trust) gossipKeys() [][]byte {
	var keys [][]byte
	for _, s := range t.secrets {
		keys = append(keys, s.GossipKey())
	}
	return keys
}

// linkSecrets secure the links, unless certificates do.
func (t trust) linkSecrets() []remote.Secret {
	if t.certificates != nil {
		return nil
	}
	return t.secrets
}

// renewTrust takes over secrets and certificates whose files have changed. What cannot be read changes nothing: the file may be
// half written, and is looked at again.
func (b *service) renewTrust() {
	if b.config.Cluster.SecretFile == "" && b.config.Cluster.Certificate == "" {
		return
	}
	now, err := readTrust(b.config.Cluster)
	if err != nil {
		if b.trust.text != nil {
			b.log.Error("the secret has changed and cannot be used; the one before stays in use", "error", err,
				"next", "correct the file; it is read again by itself")
			b.trust.text = nil
		}
		return
	}
	if bytes.Equal(now.text, b.trust.text) {
		return
	}
	link := b.links.link.Load()
	if len(now.secrets) > 0 {
		err = b.cluster.SetKeys(now.gossipKeys())
	}
	if now.certificates != nil {
		err = errors.Join(err, link.SetCertificates(*now.certificates))
	} else {
		err = errors.Join(err, link.SetSecrets(now.linkSecrets()))
	}
	b.trust = now
	if err != nil {
		b.log.Error("the changed secret is not in use everywhere", "error", err, "next", "restart this broker")
		return
	}
	b.log.Info("the secret has changed and is in use", "accepted", len(now.secrets))
}
