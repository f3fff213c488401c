package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// process is a broker in a process of its own, so that it can be killed the way power fails: without a word.
type process struct {
	command *exec.Cmd
	readyEvent
	exited  chan struct{} // closed when it is gone
	outcome error         // of the exit; to be read after exited
}

// readyEvent is what a broker logs once it serves: where it is found, above all.
type readyEvent struct {
	Msg                               string
	Gateway, Peer, Gossip, HTTP, Data string
	Node                              string
}

// startTimeout bounds how long a broker may take from its start, recovery included, until it is ready.
const startTimeout = 30 * time.Second

// startProcess runs `troupe serve` with this binary and returns when it is ready for clients. Its log is appended to the
// file named. The gateway may end in port 0 for a free one; the ports for other brokers are free ones unless more says where
// they are.
func startProcess(ctx context.Context, data, gateway, log string, more ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	line := []string{"serve", "--data", data, "--gateway", gateway, "--peer", "127.0.0.1:0", "--gossip", "127.0.0.1:0", "--http", ""}
	p := &process{command: exec.Command(self, append(line, more...)...), exited: make(chan struct{})}
	p.command.SysProcAttr = childAttributes()
	problems, err := p.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		file.Close()
		return nil, err
	}
	ready := make(chan readyEvent, 1)
	tail := make(chan []byte, 1)
	go func() {
		tail <- follow(problems, file, ready)
		p.outcome = errors.Join(p.command.Wait(), file.Close())
		close(p.exited)
	}()

	timeout := time.NewTimer(startTimeout)
	defer timeout.Stop()
	select {
	case p.readyEvent = <-ready:
		return p, nil
	case last := <-tail:
		<-p.exited
		return nil, fmt.Errorf("the broker did not start (%v); its last words: %s", p.outcome, bytes.TrimSpace(last))
	case <-ctx.Done():
		p.kill()
		return nil, ctx.Err()
	case <-timeout.C:
		p.kill()
		return nil, fmt.Errorf("the broker was not ready after %v; its log is %s", startTimeout, log)
	}
}

// follow copies a broker's log to a file, tells once it is ready, and returns the last line.
func follow(problems io.Reader, file io.Writer, ready chan<- readyEvent) (last []byte) {
	lines := bufio.NewReader(problems)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			last = line
			_, _ = file.Write(line) // a log that cannot be kept is no reason to stop the broker
			var event readyEvent
			if json.Unmarshal(line, &event) == nil && event.Msg == readyMessage {
				select {
				case ready <- event:
				default:
				}
			}
		}
		if err != nil {
			return last
		}
	}
}

// pid names the process to the operating system.
func (p *process) pid() int { return p.command.Process.Pid }

// kill is kill -9: the process gets no chance to finish anything. It returns when the process is gone.
func (p *process) kill() {
	_ = p.command.Process.Kill() // an error means that it is gone already
	<-p.exited
}

// drain asks the broker to stop in order, and returns when it has.
func (p *process) drain() error {
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.exited
	return p.outcome
}
