package remote

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"
)

// errStranger is why a certificate is refused.
var errStranger = errors.New("without this cluster's secret")

// keyring holds what this broker shows to peers and whom it believes. Without secrets and certificates it is empty, and
// links are plain.
type keyring struct {
	self Identity
	now  func() time.Time

	mu          sync.Mutex
	authorities []authority // the first signs; empty with an operator's own certificates
	own         *tls.Certificate
	renew       time.Time // when own is minted anew; only with authorities
	roots       *x509.CertPool
}

// secured tells whether links are encrypted. It does not change.
func (k *keyring) secured() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.roots != nil
}

// setSecrets takes secrets in place of what there was, and mints a certificate under the first.
func (k *keyring) setSecrets(secrets []Secret) error {
	if len(secrets) == 0 {
		return fmt.Errorf("without a secret nobody could be let in: %w", ErrSecret)
	}
	var authorities []authority
	roots := x509.NewCertPool()
	for _, s := range secrets {
		if s == (Secret{}) {
			return fmt.Errorf("an empty secret: %w", ErrSecret)
		}
		a, err := newAuthority(s)
		if err != nil {
			return fmt.Errorf("make the cluster's authority: %w", err)
		}
		authorities = append(authorities, a)
		roots.AddCert(a.certificate)
	}
	now := k.now()
	own, err := authorities[0].mint(k.self, now)
	if err != nil {
		return fmt.Errorf("mint a certificate: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.authorities, k.roots, k.own, k.renew = authorities, roots, own, now.Add(renewAfter)
	return nil
}

// setCertificates takes an operator's certificates in place of what there was.
func (k *keyring) setCertificates(c Certificates) error {
	if len(c.Own.Certificate) == 0 || c.Own.PrivateKey == nil || c.Roots == nil {
		return fmt.Errorf("certificate, key and authorities must be given: %w", ErrCertificates)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.authorities, k.roots, k.own = nil, c.Roots, &c.Own
	return nil
}

// certificate returns what to show to a peer. It mints a new one when the last has its time behind it: a broker may run
// for years, and every link begins here.
func (k *keyring) certificate() (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := k.now(); len(k.authorities) > 0 && !now.Before(k.renew) {
		own, err := k.authorities[0].mint(k.self, now)
		if err != nil {
			return nil, fmt.Errorf("mint a certificate: %w", err)
		}
		k.own, k.renew = own, now.Add(renewAfter)
	}
	return k.own, nil
}

// verify returns errStranger unless an authority of the ring signed the chain for this use. host is what was dialed; it is
// compared only where the certificate does not name a node.
func (k *keyring) verify(chain []*x509.Certificate, use x509.ExtKeyUsage, host string) error {
	if len(chain) == 0 {
		return fmt.Errorf("it shows no certificate: %w", errStranger)
	}
	k.mu.Lock()
	roots, minted := k.roots, len(k.authorities) > 0
	k.mu.Unlock()
	_, _, named := namedBy(chain[0])
	if minted && !named {
		return fmt.Errorf("its certificate names no node: %w", errStranger)
	}
	options := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool(), CurrentTime: k.now(), KeyUsages: []x509.ExtKeyUsage{use}}
	if !named {
		options.DNSName = host
	}
	for _, c := range chain[1:] {
		options.Intermediates.AddCert(c)
	}
	if _, err := chain[0].Verify(options); err != nil {
		return fmt.Errorf("its certificate is not trusted: %w: %w", errStranger, err)
	}
	return nil
}

// serverTLS is how this broker answers.
func (k *keyring) serverTLS() *tls.Config {
	c := k.baseTLS()
	c.ClientAuth = tls.RequireAnyClientCert // verified by VerifyConnection, against the secrets of that moment
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return k.certificate() }
	c.VerifyConnection = func(s tls.ConnectionState) error {
		return k.verify(s.PeerCertificates, x509.ExtKeyUsageClientAuth, "")
	}
	return c
}

// clientTLS is how this broker dials a host.
func (k *keyring) clientTLS(host string) *tls.Config {
	c := k.baseTLS()
	c.InsecureSkipVerify = true // verified by VerifyConnection: a certificate names a node, not a host
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return k.certificate() }
	c.VerifyConnection = func(s tls.ConnectionState) error {
		return k.verify(s.PeerCertificates, x509.ExtKeyUsageServerAuth, host)
	}
	return c
}

// baseTLS has no session tickets: a resumed session would outlive the secret that it began under.
func (k *keyring) baseTLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true, Time: k.now}
}
