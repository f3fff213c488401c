package real

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// network is where the brokers live. With namespaces each has a network of its own, linked to the others by a bridge on which
// this program stands too, and any two can be kept from each other. Without, all are on loopback and nothing can be cut.
type network struct {
	namespaces bool
	why        string // there are none
	prefix     string // of namespaces and links
	subnet     string // the first three numbers of the addresses
}

// site is a broker's place in the network.
type site struct {
	namespace string // "" without
	address   string
}

// The first of the ports of a broker that has an address to itself; after each move they are basePorts further up.
const gatewayPort, basePorts = 9642, 10

// nowhere is a link address that nobody has: frames sent there are lost without a word.
const nowhere = "02:00:00:00:00:01"

// openNetwork makes a network for n brokers, with namespaces if wanted and permitted.
func openNetwork(n int, wanted bool) *network {
	pid := os.Getpid()
	w := &network{prefix: fmt.Sprintf("tr%d", pid), subnet: fmt.Sprintf("10.%d.%d", 64+pid/256%128, pid%256)}
	if !wanted {
		w.why = "not wanted"
		return w
	}
	if err := w.build(n); err != nil {
		w.close(n)
		w.why = err.Error()
		return w
	}
	w.namespaces = true
	return w
}

// sweepNetworks takes away what runs that were killed have left of their networks.
func sweepNetworks() {
	listed, err := exec.Command("ip", "netns", "list").Output()
	if err != nil {
		return // then there is nothing to sweep, either
	}
	for line := range strings.Lines(string(listed)) {
		var pid, place int
		if n, _ := fmt.Sscanf(line, "tr%d-%d", &pid, &place); n != 2 || running(pid) {
			continue
		}
		_ = ip(fmt.Sprintf("netns del tr%d-%d", pid, place))
		_ = ip(fmt.Sprintf("link del tr%db", pid)) // once: the others find it gone
	}
}

func (w *network) build(n int) error {
	bridge := w.prefix + "b"
	lines := []string{
		"link add " + bridge + " type bridge", "addr add " + w.subnet + ".254/24 dev " + bridge, "link set " + bridge + " up",
	}
	for i := range n {
		s := w.namespace(i)
		link := fmt.Sprintf("%sv%d", w.prefix, i)
		lines = append(lines, "netns add "+s, "link add "+link+" type veth peer name eth0 netns "+s,
			"link set "+link+" master "+bridge, "link set "+link+" up",
			fmt.Sprintf("-n %s addr add %s.%d/24 dev eth0", s, w.subnet, i+1), "-n "+s+" link set eth0 up", "-n "+s+" link set lo up")
	}
	for _, line := range lines {
		if err := ip(line); err != nil {
			return err
		}
	}
	return nil
}

// close takes the network away.
func (w *network) close(n int) {
	if w.why == "not wanted" {
		return
	}
	for i := range n {
		_ = ip("netns del " + w.namespace(i)) // its end of the link goes with it; what was not made is not missed
	}
	_ = ip("link del " + w.prefix + "b")
}

func ip(line string) error {
	said, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", line, err, strings.TrimSpace(string(said)))
	}
	return nil
}

func (w *network) namespace(i int) string { return fmt.Sprintf("%s-%d", w.prefix, i) }

// site returns the place of broker i.
func (w *network) site(i int) site {
	if !w.namespaces {
		return site{address: "127.0.0.1"}
	}
	return site{namespace: w.namespace(i), address: w.subnet + "." + strconv.Itoa(i+1)}
}

// within puts a command line into the broker's namespace.
func (s site) within(line []string) []string {
	if s.namespace == "" {
		return line
	}
	return append([]string{"ip", "netns", "exec", s.namespace}, line...)
}

// addresses returns where a broker at this place listens for clients, peers and gossip: after so many moves within it other
// ports than before.
func (s site) addresses(moves int) (gateway, peer, gossip string, err error) {
	if s.namespace != "" {
		at := func(n int) string { return net.JoinHostPort(s.address, strconv.Itoa(gatewayPort+moves*basePorts+n)) }
		return at(0), at(1), at(2), nil
	}
	free := make([]string, 3)
	for i := range free {
		l, err := net.Listen("tcp", net.JoinHostPort(s.address, "0"))
		if err != nil {
			return "", "", "", err
		}
		defer l.Close() // together at the end, so that no two are the same
		free[i] = l.Addr().String()
	}
	return free[0], free[1], free[2], nil
}

// cut loses, from now on, everything that one broker sends to another.
func (w *network) cut(from, to site) error {
	return ip(fmt.Sprintf("-n %s neigh replace %s lladdr %s dev eth0 nud permanent", from.namespace, to.address, nowhere))
}

// mend takes a cut back.
func (w *network) mend(from, to site) error {
	return ip(fmt.Sprintf("-n %s neigh del %s dev eth0", from.namespace, to.address))
}
