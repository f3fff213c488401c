package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// asTroupe in the environment makes this test binary behave as troupe itself, so that tests start real brokers and real
// commands without building anything.
const asTroupe = "TEST_AS_TROUPE"

func TestMain(m *testing.M) {
	if os.Getenv(asTroupe) != "" {
		main()
		return
	}
	os.Setenv(asTroupe, "1")
	os.Unsetenv("TROUPE_BROKER")
	os.Setenv("TROUPE_HTTP_ADDRESS", "") // several brokers run at once
	os.Setenv("TROUPE_PEER_ADDRESS", "127.0.0.1:0")
	os.Setenv("TROUPE_GOSSIP_ADDRESS", "127.0.0.1:0")
	os.Unsetenv("TROUPE_GATEWAY_ADDRESS")
	os.Exit(m.Run())
}

// broker starts a broker process on a free port, over a directory that outlives it, and ends it with the test.
func broker(t *testing.T) *process {
	t.Helper()
	return brokerAt(t, t.TempDir(), "127.0.0.1:0")
}

func brokerAt(t *testing.T, directory, gateway string) *process {
	t.Helper()
	p := processAt(t, directory, gateway)
	if p == nil {
		t.FailNow()
	}
	return p
}

// processAt starts a broker process with more on its command line. It may be called from any goroutine: on failure it returns nil.
func processAt(t *testing.T, directory, gateway string, more ...string) *process {
	t.Helper()
	log := filepath.Join(directory, "broker.log")
	p, err := startProcess(t.Context(), filepath.Join(directory, "data"), gateway, log, more...)
	if err != nil {
		t.Error(err)
		return nil
	}
	t.Cleanup(func() {
		p.kill()
		if text, err := os.ReadFile(log); err == nil && t.Failed() {
			t.Logf("the broker's log:\n%s", text)
		}
	})
	return p
}

// result is what one command left.
type result struct {
	code          int
	out, problems string
}

// troupe runs one command line in this process.
func troupe(t *testing.T, in string, arguments ...string) result {
	t.Helper()
	var out, problems bytes.Buffer
	code := run(context.WithoutCancel(t.Context()), arguments, strings.NewReader(in), &out, &problems)
	return result{code: code, out: out.String(), problems: problems.String()}
}

// must runs one command line that has to succeed, and returns what it printed.
func must(t *testing.T, in string, arguments ...string) string {
	t.Helper()
	r := troupe(t, in, arguments...)
	if r.code != exitFine {
		t.Fatalf("troupe %s: exit %d\n%s%s", strings.Join(arguments, " "), r.code, r.out, r.problems)
	}
	return r.out
}

// freeAddress returns a loopback address on which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := freeLoopback()
	if err != nil {
		t.Fatal(err)
	}
	return address
}
