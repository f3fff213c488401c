package membership

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// bindAddress reads where gossip listens. It returns ErrNoSecret if that can be reached from other machines and there is no
// key.
func bindAddress(ctx context.Context, bind string, secret bool) (ip net.IP, port int, err error) {
	host, text, err := net.SplitHostPort(bind)
	number, bad := strconv.ParseUint(text, 10, 16)
	if err != nil || bad != nil {
		return nil, 0, fmt.Errorf("--gossip %q: write it as HOST:PORT: %w", bind, ErrOption)
	}
	ip = net.IPv4zero
	if host != "" {
		if ip, err = lookUp(ctx, host); err != nil {
			return nil, 0, fmt.Errorf("--gossip %q: %w", bind, err)
		}
	}
	if !secret && !ip.IsLoopback() {
		return nil, 0, fmt.Errorf("--gossip %s can be reached from other machines: %w", bind, ErrNoSecret)
	}
	return ip, int(number), nil
}

// advertised finds the address under which others reach this broker; nil leaves it to where it is bound, or to memberlist.
func advertised(ctx context.Context, host string, bind net.IP, seeds []seed) (net.IP, error) {
	if host != "" {
		ip, err := lookUp(ctx, host)
		if err != nil {
			return nil, fmt.Errorf("--advertise %s: %w", host, err)
		}
		return ip, nil
	}
	if !bind.IsUnspecified() {
		return nil, nil
	}
	for _, s := range seeds {
		for _, address := range s.addresses {
			// Nothing is sent: to connect UDP only picks the route.
			connection, err := new(net.Dialer).DialContext(ctx, "udp", address)
			if err != nil {
				continue
			}
			ip := connection.LocalAddr().(*net.UDPAddr).IP
			connection.Close()
			return ip, nil
		}
	}
	return nil, nil
}

// lookUp resolves a host to one address, of the first version there is, IPv4 rather than IPv6.
func lookUp(ctx context.Context, host string) (net.IP, error) {
	if ip := net.ParseIP(host); ip != nil {
		return ip, nil
	}
	ips, err := net.DefaultResolver.LookupIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	for _, ip := range ips {
		if ip.To4() != nil {
			return ip, nil
		}
	}
	return ips[0], nil
}

// resolve finds the addresses of seeds as they are now; one that cannot be resolved has none.
func resolve(ctx context.Context, names []string) (seeds []seed, problems []error) {
	for _, name := range names {
		s := seed{name: name}
		host, port, err := splitSeed(name)
		if err == nil {
			var ips []netip.Addr
			if ips, err = net.DefaultResolver.LookupNetIP(ctx, "ip", host); err == nil {
				for _, ip := range ips {
					s.addresses = append(s.addresses, netip.AddrPortFrom(ip.Unmap(), port).String())
				}
			}
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
		}
		seeds = append(seeds, s)
	}
	return seeds, problems
}

// onLoopback tells whether only this machine reaches an ip:port.
func onLoopback(address string) bool {
	at, err := netip.ParseAddrPort(address)
	return err == nil && at.Addr().IsLoopback()
}

// gossipAddress writes an address as serf knows it.
func gossipAddress(ip net.IP, port uint16) string {
	address, _ := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(address.Unmap(), port).String()
}
