package gateway

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"troupe/gateway/protocol"
	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// Every sentinel that the rooms behind the gateway declare has exactly one row in the table. A new one without a row would
// reach clients as INTERNAL.
func TestEverySentinelHasACode(t *testing.T) {
	want := map[string]bool{}
	for _, dir := range []string{"../partitions", "../partitions/catalog", "../partitions/batch"} {
		for _, name := range sentinels(t, dir+"/errors.go") {
			want[name] = true
		}
	}
	seen := map[string]bool{}
	for _, r := range refusals {
		text := r.sentinel.Error()
		if seen[text] {
			t.Errorf("%q stands twice in the table", text)
		}
		if !want[text] {
			t.Errorf("%q is in the table and declared nowhere", text)
		}
		seen[text] = true
		s := NewSession(newFakeBroker(t), Limits{}, nil)
		if got := s.refusal("x", fmt.Errorf("context: %w", r.sentinel)); got.Code != r.code || !strings.Contains(got.Message, "context") {
			t.Errorf("%q becomes %v", text, got)
		}
		if got := s.readRefusal("x", r.sentinel); got.Outcome() == protocol.Unknown && got.Code != protocol.CodeInternal {
			t.Errorf("reading: %q becomes %v, whose outcome is unknown", text, got)
		}
	}
	for text := range want {
		if !seen[text] {
			t.Errorf("%q has no code", text)
		}
	}
}

// sentinels returns the texts of the errors that a file declares with errors.New.
func sentinels(t *testing.T, path string) []string {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if f, ok := call.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "New" {
			texts = append(texts, strings.Trim(call.Args[0].(*ast.BasicLit).Value, `"`))
		}
		return true
	})
	if len(texts) == 0 {
		t.Fatalf("%s declares no errors", path)
	}
	return texts
}

func TestRefusalsCarryDetails(t *testing.T) {
	s := NewSession(newFakeBroker(t), Limits{ThrottleMillis: 250}, nil)
	if s.refusal("x", nil) != nil || s.readRefusal("x", nil) != nil {
		t.Error("no error is refused")
	}
	e := s.refusal("x", fmt.Errorf("far: %w", &partitions.RangeError{Err: partitions.ErrOffsetMismatch, Asked: 5, LogStart: 1, LogEnd: 9}))
	if e.Code != protocol.CodeOffsetMismatch || (e.Details != protocol.Details{Asked: 5, LogStart: 1, LogEnd: 9}) {
		t.Errorf("got %v %+v", e, e.Details)
	}
	if e := s.refusal("x", partitions.ErrThrottled); e.Details.WaitMillis != 250 {
		t.Errorf("got %+v", e.Details)
	}
	for node, gateway := range map[id.Node]string{0: "", 0xb2: "127.0.0.1:9742", 0xff: ""} {
		e := s.refusal("x", fmt.Errorf("here: %w", &partitions.NotLeaderError{Leader: node, Term: 4}))
		if e.Code != protocol.CodeNotLeader || (e.Details != protocol.Details{Leader: node, Gateway: gateway, Term: 4}) {
			t.Errorf("leader %v: got %v %+v", node, e, e.Details)
		}
	}
	if e := s.refusal("x", errors.New("surprise")); e.Code != protocol.CodeInternal || e.Outcome() != protocol.Unknown || e.Retriable {
		t.Errorf("got %v", e)
	}
}

// TestRefusalsSpeak keeps the words for programs out of messages: the code stands before them.
func TestRefusalsSpeak(t *testing.T) {
	s := NewSession(newFakeBroker(t), Limits{}, func(Reply) {})
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("there is no such topic: %w", partitions.ErrUnknownTopic), `topic "a": there is no such topic`},
		{fmt.Errorf("%w: the broker stops", partitions.ErrUnavailable), `topic "a": the broker stops`},
		{fmt.Errorf("topic \"a\" exists already, as t16: %w", catalog.ErrTopicExists), `topic "a" exists already, as t16`},
		{partitions.ErrThrottled, `topic "a": partitions: throttled`},
	} {
		if got := s.refusal(subject("a"), c.err); got.Message != c.want {
			t.Errorf("%v is told as %q, want %q", c.err, got.Message, c.want)
		}
	}
}
