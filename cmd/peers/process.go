package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// server is a process that was started here and is stopped here.
type server struct {
	command *exec.Cmd
	log     *os.File
	ended   chan error
}

// How long a server may take to listen, and to stop after a SIGTERM.
const (
	startTime = 60 * time.Second
	stopTime  = 15 * time.Second
)

// startServer runs a command, its output in a file of the directory, and waits until it listens.
func startServer(ctx context.Context, directory, address, name string, arguments ...string) (*server, error) {
	log, err := os.Create(filepath.Join(directory, "server.log"))
	if err != nil {
		return nil, err
	}
	s := &server{command: exec.Command(name, arguments...), log: log, ended: make(chan error, 1)}
	s.command.Stdout, s.command.Stderr = log, log
	if err := s.command.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	go func() { s.ended <- s.command.Wait() }()
	until, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(until, "tcp", address)
		if err == nil {
			return s, conn.Close()
		}
		select {
		case err := <-s.ended:
			s.ended <- err
			return nil, fmt.Errorf("%s ended before it listened at %s (%v); see %s", name, address, err, log.Name())
		case <-until.Done():
			return nil, errors.Join(fmt.Errorf("%s does not listen at %s: %w", name, address, until.Err()), s.stop())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stop ends the process, in order if it can.
func (s *server) stop() error {
	defer s.log.Close()
	_ = s.command.Process.Signal(syscall.SIGTERM) // fails only if it has ended
	select {
	case <-s.ended:
		return nil
	case <-time.After(stopTime):
	}
	err := s.command.Process.Kill()
	<-s.ended
	return err
}

// run carries out a command to its end and returns what it printed; all of it is kept in a file, too.
func run(ctx context.Context, file, name string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, name, arguments...)
	var out, problems bytes.Buffer
	command.Stdout, command.Stderr = &out, &problems
	err := command.Run()
	kept := os.WriteFile(file, append(out.Bytes(), problems.Bytes()...), 0o644)
	if err != nil {
		return out.String(), fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(arguments[:min(2, len(arguments))], " "), err,
			lastLine(problems.String()+out.String()))
	}
	return out.String(), kept
}

// lastLine is usually the one that tells what went wrong.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// freeAddress returns a port on loopback that nobody listens at.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
