package remote

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"troupe/partitions/id"
)

// ErrCertificates is returned for files that make no certificate to show or to trust.
var ErrCertificates = errors.New("remote: unusable certificates")

// Certificates are an operator's own, in place of those that a secret makes.
type Certificates struct {
	// Own is shown to peers, as server and as client. If it has a URI troupe://CLUSTER/NODE, it speaks for that node alone;
	// otherwise for any, and a dialer checks the host that it dialed.
	Own tls.Certificate
	// Roots sign the certificates of brokers, and nothing else: whoever they sign for is let in.
	Roots *x509.CertPool
}

// ReadCertificates reads PEM files. Its errors unwrap to ErrCertificates.
func ReadCertificates(certificate, key, authorities string) (Certificates, error) {
	own, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return Certificates{}, fmt.Errorf("certificate %s with key %s: %w: %w", certificate, key, ErrCertificates, err)
	}
	text, err := os.ReadFile(authorities)
	if err != nil {
		return Certificates{}, fmt.Errorf("authorities: %w: %w", ErrCertificates, err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return Certificates{}, fmt.Errorf("authorities %s hold no certificate: %w", authorities, ErrCertificates)
	}
	return Certificates{Own: own, Roots: roots}, nil
}

// How long a minted certificate is valid: before now, for brokers whose clock is behind, and after.
const (
	validBefore = 24 * time.Hour
	validAfter  = 7 * 24 * time.Hour
	// renewAfter leaves days before the end, for brokers whose clock is ahead.
	renewAfter = 24 * time.Hour
)

// authority signs the certificates of one secret's brokers. Every broker makes the same one from the secret.
type authority struct {
	key         ed25519.PrivateKey
	certificate *x509.Certificate
}

func newAuthority(s Secret) (authority, error) {
	key := s.authorityKey()
	public := key.Public().(ed25519.PublicKey)
	print := sha256.Sum256(public)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		// The name tells authorities apart: a chain is looked for by names.
		Subject:               pkix.Name{CommonName: "Troupe cluster authority " + hex.EncodeToString(print[:8])},
		NotBefore:             time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:              time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		KeyUsage:              x509.KeyUsageCertSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		SubjectKeyId:          print[:20],
	}
	c, err := sign(template, template, public, key)
	return authority{key: key, certificate: c}, err
}

// mint makes a certificate for a broker, with a key that nobody else ever has.
func (a authority) mint(i Identity, now time.Time) (*tls.Certificate, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)),
		Subject:      pkix.Name{CommonName: fmt.Sprintf("Troupe node %v", i.Node)},
		URIs:         []*url.URL{nameOf(i.Cluster, i.Node)},
		NotBefore:    now.Add(-validBefore),
		NotAfter:     now.Add(validAfter),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	c, err := sign(template, a.certificate, public, a.key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: private, Leaf: c}, nil
}

func sign(template, parent *x509.Certificate, public ed25519.PublicKey, key ed25519.PrivateKey) (*x509.Certificate, error) {
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(raw)
}

// nameOf is the URI by which a certificate names a broker.
func nameOf(c id.Cluster, n id.Node) *url.URL {
	return &url.URL{Scheme: "troupe", Host: c.String(), Path: "/" + n.String()}
}

// namedBy reads the URI of a certificate; named is false when there is none. A malformed one names node 0, which is nobody.
func namedBy(c *x509.Certificate) (cluster id.Cluster, node id.Node, named bool) {
	for _, u := range c.URIs {
		if u.Scheme != "troupe" {
			continue
		}
		if named {
			return 0, 0, true // two names are none
		}
		named = true
		n, err := id.ParseNode(strings.TrimPrefix(u.Path, "/"))
		v, wrong := strconv.ParseUint(u.Host, 16, 64)
		if err == nil && wrong == nil && *u == *nameOf(id.Cluster(v), n) {
			cluster, node = id.Cluster(v), n
		}
	}
	return cluster, node, named
}
