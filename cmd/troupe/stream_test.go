package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"troupe/gateway/client"
)

// TestProduceConsume writes records in every way the command line knows and reads them back in every way.
func TestProduceConsume(t *testing.T) {
	at := "--broker=" + broker(t).Gateway
	must(t, "", "topic", "create", "pets", at)
	file := filepath.Join(t.TempDir(), "lines")
	if err := os.WriteFile(file, []byte("cat purrs\nno animal"), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, "plain\n\n", "produce", "pets", at)                                                       // 0, 1
	must(t, "dog:barks\nnothing\n", "produce", "pets", "--key-delimiter", ":", "-H", "from:test", at) // 2, 3
	must(t, "", "produce", "pets", "--key-regex", `^(cat|bird) `, "--compression", "zstd", file, at)  // 4, 5
	must(t, "one\n", "produce", "pets", "--acks", "leader", "--partition", "0", at)                   // 6
	middle := time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)

	for _, c := range []struct {
		name string
		line string
		want string
	}{
		{"from the start", "consume pets --until end", "plain\n\nbarks\nnothing\ncat purrs\nno animal\none\n"},
		{"keys", `consume pets --until end --format %o=%k;`, "0=;1=;2=dog;3=;4=cat;5=;6=;"},
		{"headers", `consume pets --from 2 --until 4 --format %p/%o\t%h\n`, "0/2\tfrom=test\n0/3\tfrom=test\n"},
		{"a range", "consume pets --from 3 --until 5 --partition 0", "nothing\ncat purrs\n"},
		{"a number of them", "consume pets -n 2 --from 4", "cat purrs\nno animal\n"},
		{"from a time ago", "consume pets --from -1h -n 1", "plain\n"},
		{"from a time", "consume pets -n 1 --from " + middle, "plain\n"},
		{"from the end until the end", "consume pets --from end --until end", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := must(t, "", append(strings.Fields(c.line), at)...)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("json", func(t *testing.T) {
		var r jsonRecord
		decode(t, must(t, "", "consume", "pets", "--from", "2", "-n", "1", "--format", "json", at), &r)
		if r.Topic != "pets" || r.Offset != 2 || *r.Key != "dog" || *r.Value != "barks" || *r.Headers[0].Value != "test" {
			t.Errorf("%+v", r)
		}
	})
}

// TestProduceSummary tells programs and people what was written.
func TestProduceSummary(t *testing.T) {
	at := "--broker=" + broker(t).Gateway
	must(t, "", "topic", "create", "pets", at)
	r := troupe(t, "a:1\nb\n", "produce", "pets", "--key-delimiter", ":", at)
	if r.code != exitFine || !strings.Contains(r.problems, "wrote 2 records") || !strings.Contains(r.problems, "1 line had no key") {
		t.Errorf("exit %d\n%s", r.code, r.problems)
	}
	var summary struct{ Acknowledged, Failed int }
	decode(t, must(t, "a\nb\n", "produce", "pets", "--output", "json", at), &summary)
	if summary.Acknowledged != 2 || summary.Failed != 0 {
		t.Errorf("%+v", summary)
	}
}

// TestStreamRefusals meets what produce and consume cannot do.
func TestStreamRefusals(t *testing.T) {
	at := "--broker=" + broker(t).Gateway
	must(t, "", "topic", "create", "pets", "--set", "max.message.bytes=1KiB", at)
	for _, c := range []struct {
		name, line, in string
		code           int
		problems       string
	}{
		{"no such topic to write", "produce birds", "x\n", exitFailed, "troupe topic create"},
		{"no such topic to read", "consume birds --until end", "", exitFailed, "troupe topic list"},
		{"no such partition to write", "produce pets --partition 7", "x\n", exitFailed, "no number 7"},
		{"no such partition to read", "consume pets --partition 7", "", exitFailed, "7"},
		{"no such file", "produce pets /nowhere", "", exitFailed, "/nowhere"},
		{"a directory", "produce pets .", "", exitFailed, ". is a directory"},
		{"no such offset, with an end", "consume pets --partition 0 --from 99 --until end", "", exitFailed, "from 0 to below 0"},
		{"no such offset", "consume pets --partition 0 --from 99", "", exitFailed, "99"},
		{"too large for the topic", "produce pets", strings.Repeat("x", 2000) + "\n", exitFailed, "max.message.bytes"},
		{"two rules for keys", "produce pets --key-delimiter : --key-regex x", "", exitUsage, "exclude"},
		{"no pattern", "produce pets --key-regex (", "", exitUsage, "--key-regex"},
		{"no header", "produce pets -H x", "", exitUsage, "key:value"},
		{"no codec", "produce pets --compression rar", "", exitUsage, "zstd"},
		{"no acks", "produce pets --acks all", "", exitUsage, "quorum"},
		{"no position", "consume pets --from yesterday", "", exitUsage, "-1h"},
		{"no bound", "consume pets --until later", "", exitUsage, "end or an offset"},
		{"no field", "consume pets --format %z", "", exitUsage, "%z"},
		{"no topic", "consume", "", exitUsage, "--help"},
		{"no command", "conssume pets", "", exitUsage, "consume"},
		{"no verb", "topic destroy pets", "", exitUsage, "destroy"},
		{"no output", "topic list --output xml", "", exitUsage, "table or json"},
		{"no number", "topic create many --partitions three", "", exitUsage, `"three" for "--partitions" flag, which wants a number`},
		{"nearly a command", "serv", "", exitUsage, `unknown command "serv" for "troupe"; did you mean serve or dev?`},
		{"no flag", "topic list --all", "", exitUsage, "--all"},
		{"no address", "topic list --broker here", "", exitUsage, "HOST:PORT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := troupe(t, c.in, append([]string{at}, strings.Fields(c.line)...)...)
			if got.code != c.code || !strings.Contains(got.problems, c.problems) || got.out != "" {
				t.Errorf("troupe %s: exit %d\n%s%s\nwant exit %d with %q", c.line, got.code, got.out, got.problems, c.code, c.problems)
			}
		})
	}
}

// TestNoBroker tells at once, and with the next step, that nobody listens.
func TestNoBroker(t *testing.T) {
	address := freeAddress(t)
	got := troupe(t, "", "topic", "list", "--broker", address)
	want := "troupe: no broker answers at " + address + "; start one with `troupe serve`"
	if got.code != exitFailed || !strings.HasPrefix(got.problems, want) {
		t.Errorf("exit %d, %q, want %q", got.code, got.problems, want)
	}
}

// TestProduceExpectEnd writes only where the partition ends.
func TestProduceExpectEnd(t *testing.T) {
	at := "--broker=" + broker(t).Gateway
	must(t, "", "topic", "create", "pets", at)
	must(t, "a\nb\n", "produce", "pets", "--partition", "0", "--expect-end", "0", at)
	got := troupe(t, "c\n", "produce", "pets", "--partition", "0", "--expect-end", "1", at)
	if got.code != exitFailed || !strings.Contains(got.problems, "OFFSET_MISMATCH") || !strings.Contains(got.problems, "--expect-end 2") {
		t.Errorf("exit %d: %s", got.code, got.problems)
	}
	must(t, "c\n", "produce", "pets", "--partition", "0", "--expect-end", "2", at)
	if out := must(t, "", "consume", "pets", "--until", "end", at); out != "a\nb\nc\n" {
		t.Errorf("consumed %q", out)
	}
	if got := troupe(t, "c\n", "produce", "pets", "--expect-end", "1", at); got.code != exitUsage || !strings.Contains(got.problems, "--partition") {
		t.Errorf("exit %d: %s", got.code, got.problems)
	}
}

// TestNotABroker connects to something that answers in another language.
func TestNotABroker(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
			conn.Close()
		}
	}()
	address := listener.Addr().String()
	got := troupe(t, "", "topic", "list", "--broker", address)
	if got.code != exitFailed || !strings.HasPrefix(got.problems, "troupe: no Troupe broker answers at "+address) ||
		strings.Count(got.problems, "\n") != 1 {
		t.Errorf("exit %d\n%s", got.code, got.problems)
	}
	silent := explain(fmt.Errorf("ping: %w: %w", client.ErrUnreachable, context.DeadlineExceeded), address)
	if !strings.Contains(silent.Error(), "takes connections and gives no answer") || !strings.Contains(silent.Error(), address) {
		t.Error(silent)
	}
}

// TestProduceInterrupted ends a produce whose input goes on: what was read is written, and told.
func TestProduceInterrupted(t *testing.T) {
	at := "--broker=" + broker(t).Gateway
	must(t, "", "topic", "create", "pets", at)
	ctx, interrupt := context.WithCancel(context.WithoutCancel(t.Context()))
	defer interrupt()
	in, lines := io.Pipe()
	defer lines.Close()
	var problems bytes.Buffer
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, []string{"produce", "pets", at}, in, io.Discard, &problems) }()
	fmt.Fprint(lines, "cat\ndog\n")
	must(t, "", "consume", "pets", "-n", "2", at)
	interrupt()
	if code := <-ended; code != exitFailed || !strings.Contains(problems.String(), "wrote 2 records") ||
		!strings.HasSuffix(problems.String(), "troupe: interrupted\n") {
		t.Errorf("exit %d\n%s", code, &problems)
	}
}
