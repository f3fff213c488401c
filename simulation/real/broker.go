package real

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"troupe/gateway/client"
	"troupe/partitions/id"
)

// broker is one process of the cluster, with addresses and a directory that it keeps when it is started again.
type broker struct {
	name                  string
	site                  site   // where it is in the network
	directory             string // holds its data, and can be a file system of its own
	log                   string // what it says, of all its lives
	gateway, peer, gossip string
	moves                 int // to other ports
	binary                string
	arguments             []string // of every start

	mu      sync.Mutex
	process *exec.Cmd
	exited  chan struct{} // closed when process is gone
	wanted  bool          // it is meant to run: that it ends is a violation
	node    id.Node       // since it was ready last
}

// startPatience bounds how long a broker may take from its start, recovery included, until it answers.
const startPatience = 60 * time.Second

func (b *broker) data() string { return filepath.Join(b.directory, "data") }

// spawn starts the process, with more on its command line.
func (b *broker) spawn(more ...string) error {
	line := []string{"serve", "--data", b.data(), "--gateway", b.gateway, "--peer", b.peer, "--gossip", b.gossip, "--http", "",
		"--set", "data.reserve_bytes=" + reserve}
	line = b.site.within(append(append([]string{b.binary}, append(line, b.arguments...)...), more...))
	log, err := os.OpenFile(b.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close() // the process has its own
	command := exec.Command(line[0], line[1:]...)
	command.Stderr = log
	command.Env = append(os.Environ(), "TROUPE_CONFIG=")
	command.SysProcAttr = childAttributes()
	if err := command.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	b.mu.Lock()
	b.process, b.exited, b.wanted = command, exited, true
	b.mu.Unlock()
	go func() {
		_ = command.Wait() // how it ended, its log tells
		close(exited)
	}()
	return nil
}

// start spawns the process and returns when it answers.
func (b *broker) start(ctx context.Context, more ...string) error {
	if err := b.spawn(more...); err != nil {
		return err
	}
	return b.await(ctx)
}

// await returns when the broker answers.
func (b *broker) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		self, err := b.ask(ctx)
		if err == nil {
			b.mu.Lock()
			b.node = self
			b.mu.Unlock()
			return nil
		}
		select {
		case <-b.gone():
			return fmt.Errorf("%s ended instead of getting ready; its last words: %s", b.name, b.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("%s was not ready after %v (%w); its last words: %s", b.name, startPatience, err, b.lastWords())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// ask asks the broker who it is, over a connection of its own.
func (b *broker) ask(ctx context.Context) (id.Node, error) {
	c, err := client.New(client.WithBroker(b.gateway), client.WithDialTimeout(time.Second), client.WithRequestTimeout(2*time.Second))
	if err != nil {
		return 0, err
	}
	defer c.Close()
	cluster, err := c.DescribeCluster(ctx)
	if err != nil {
		return 0, err
	}
	return cluster.Self, nil
}

func (b *broker) gone() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.exited
}

// died tells that the process ended, and nobody wanted it to.
func (b *broker) died() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.exited:
		return b.wanted
	default:
		return false
	}
}

// signal sends a signal; a process that is gone already is no error.
func (b *broker) signal(s syscall.Signal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s == syscall.SIGKILL || s == syscall.SIGTERM || s == syscall.SIGQUIT {
		b.wanted = false
	}
	if b.process != nil {
		_ = b.process.Process.Signal(s)
	}
}

// kill is kill -9. It returns when the process is gone.
func (b *broker) kill() {
	b.signal(syscall.SIGKILL)
	if gone := b.gone(); gone != nil {
		<-gone
	}
}

// stopPatience bounds an orderly stop: serve's own bounds are below.
const stopPatience = 45 * time.Second

// errSlowStop: a broker that was asked to stop did not.
var errSlowStop = errors.New("it does not stop")

// stop asks the process to end in order, and returns when it has.
func (b *broker) stop() error {
	b.signal(syscall.SIGTERM)
	select {
	case <-b.gone():
		return nil
	case <-time.After(stopPatience):
		b.kill()
		return fmt.Errorf("%s, %v after SIGTERM: %w; its last words: %s", b.name, stopPatience, errSlowStop, b.lastWords())
	}
}

// lastWords are the end of the broker's log.
func (b *broker) lastWords() string {
	text, err := os.ReadFile(b.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], "\n")
}
