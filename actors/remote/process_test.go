package remote

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"troupe/partitions/id"
)

// asPeer in the environment makes this test binary a broker that sends every frame back: its value is the address to listen
// on, and which start this is.
const asPeer = "TEST_AS_PEER"

func TestMain(m *testing.M) {
	if given := os.Getenv(asPeer); given != "" {
		if err := beThePeer(given); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const peerNode id.Node = 0xFE

// beThePeer prints where it listens, and ends with its standard input.
func beThePeer(given string) error {
	address, start, _ := strings.Cut(given, " ")
	incarnation, err := strconv.ParseUint(start, 10, 64)
	if err != nil {
		return err
	}
	w := newTown()
	w.move(1, os.Getenv(asPeer+"_OF"))
	var link *Link
	opened := make(chan struct{})
	link, err = Open(Options{
		Listen: address, Identity: Identity{Cluster: testCluster, Node: peerNode, Incarnation: incarnation, Nonce: incarnation},
		Secrets: secrets(first, second), Address: w.address,
		Receive: func(from id.Node, frame []byte) { <-opened; link.Send(from, frame) },
	})
	if err != nil {
		return err
	}
	close(opened)
	fmt.Println(link.Addr())
	_, err = io.Copy(io.Discard, os.Stdin)
	link.Close()
	return err
}

// startPeer starts a peer's process, and returns where it listens.
func startPeer(t *testing.T, of *broker, address string, incarnation int) (at string, kill func()) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", asPeer, address, incarnation), asPeer+"_OF="+of.Addr())
	c.Stderr = os.Stderr
	if _, err := c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	kill = func() {
		if !ended {
			_ = c.Process.Kill() // it may have ended
			_ = c.Wait()         // killed
			ended = true
		}
	}
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the peer's process says %q, %v", line, err)
	}
	return strings.TrimSpace(line), kill
}

// TestBesideAnotherProcess links to a broker in a process of its own, which is killed with SIGKILL and started again, while a
// stranger misbehaves and secrets change. It is the one test that runs under the race detector: the library's Start replaces
// gRPC's logger, which every other link of its process reads.
func TestBesideAnotherProcess(t *testing.T) {
	w := newTown()
	a := w.openAlone(t, 1, withSecrets(first))
	at, kill := startPeer(t, a, "127.0.0.1:0", 1)
	w.move(peerNode, at)
	echo := func(n uint64, size int) {
		t.Helper()
		a.echoes(t, numbered(n, size))
	}
	echo(0, 8)
	for i := range uint64(1000) {
		if !a.Send(peerNode, numbered(i, 1000)) {
			t.Fatalf("frame %d was not taken", i)
		}
	}
	for i := uint64(0); i < 1000; {
		frame := a.next(t).frame
		if len(frame) != 1000 { // the first, which was sent more than once
			continue
		}
		if got := binary.BigEndian.Uint64(frame); got != i {
			t.Fatalf("frame %d came back, want %d", got, i)
		}
		i++
	}
	for i := range uint64(3) {
		kill()
		a.reaches(t, reached{peerNode, false})
		_, kill = startPeer(t, a, at, int(i)+2)
		echo(2000+i, MaxFrame)

		s := dial(t, a.Addr(), credentialsOf(t, guest, first)).stream(t, helloOf(guest))
		m, b := frameMessage([]byte("frame"))
		b.Envelopes[0].Target = 7
		_, _ = s.Send(connectRequest()), s.Send(m) // it may end at any of them
		if err := fate(s); status.Code(err) != codes.PermissionDenied {
			t.Errorf("a bad index ends with %v", err)
		}
	}
	for i, step := range [][]string{{first, second}, {second, first}, {second}} {
		if err := a.SetSecrets(secrets(step...)); err != nil {
			t.Fatal(err)
		}
		if i < 2 { // the peer goes on with the first secret: after the last step neither knows the other
			echo(3000+uint64(i), 100)
		}
	}
	a.fails(t, peerNode)
}

// echoes sends a frame to the peer's process until it comes back.
func (b *broker) echoes(t *testing.T, frame []byte) {
	t.Helper()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for range 1000 {
		b.Send(peerNode, frame)
		select {
		case r := <-b.frames:
			if r.from == peerNode && string(r.frame) == string(frame) {
				for len(b.frames) > 0 { // the same, sent again
					<-b.frames
				}
				return
			}
		case <-again.C:
		}
	}
	t.Fatal("the peer's process sends nothing back")
}
