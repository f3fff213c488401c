package architecture

import (
	"go/token"
	"strings"
	"testing"
)

// TestGuardsBite shows every check a file that breaks it: a guard that cannot fail guards nothing.
func TestGuardsBite(t *testing.T) {
	long := "package p\nfunc f() {\n" + strings.Repeat("\t_ = 0\n", maxFunctionLines) + "}\n"
	for _, c := range []struct {
		name, path, text string
		check            func(*file) []string
		want             string // part of the one complaint; empty: none
	}{
		{"arrow against the picture", "partitions/x.go", "package p\nimport _ \"troupe/wal\"", wrongImports, "partitions ──► troupe/wal"},
		{"arrow of the picture", "wal/x.go", "package p\nimport _ \"troupe/partitions\"", wrongImports, ""},
		{"the client stays light", "gateway/client/x.go", "package p\nimport _ \"troupe/partitions\"", wrongImports, "gateway/client ──► troupe/partitions"},
		{"foreign door", "gateway/x.go", "package p\nimport _ \"go.etcd.io/raft/v3\"", wrongImports, "third parties {}"},
		{"own door", "partitions/x.go", "package p\nimport _ \"go.etcd.io/raft/v3/raftpb\"", wrongImports, ""},
		{"banned package", "partitions/x.go", "package p\nimport _ \"sync/atomic\"", wrongImports, "sync/atomic"},
		{"tests may use what rooms may not", "partitions/x_test.go", "package p\nimport _ \"os\"", wrongImports, ""},
		{"unknown room", "utilities/x.go", "package p", wrongImports, "no room"},
		{"clock", "actors/x.go", "package p\nimport \"time\"\nvar _ = time.Now()", wrongStatements, "time.Now"},
		{"renamed clock", "wal/x.go", "package p\nimport c \"time\"\nvar _ = c.After(1)", wrongStatements, "time.After"},
		{"duration", "actors/x.go", "package p\nimport \"time\"\nvar _ = time.Second", wrongStatements, ""},
		{"the real world's file", "actors/world.go", "package p\nimport \"time\"\nvar _ = time.Now()", wrongStatements, ""},
		{"goroutine", "partitions/x.go", "package p\nfunc f() { go f() }", wrongStatements, "go statement"},
		{"select", "simulation/x.go", "package p\nfunc f() { select {} }", wrongStatements, "select statement"},
		{"global randomness", "partitions/id/x.go", "package p\nimport \"math/rand/v2\"\nvar _ = rand.Int()", wrongStatements, "rand/v2.Int"},
		{"given randomness", "partitions/id/x.go", "package p\nimport \"math/rand/v2\"\nvar _ *rand.Rand", wrongStatements, ""},
		{"future", "actors/x.go", "package p\nvar _ = c.RequestFuture(1)", wrongStatements, "RequestFuture"},
		{"undocumented", "wal/x.go", "package p\nfunc F() {}", undocumented, "F has no comment"},
		{"method of a hidden type", "wal/x.go", "package p\nfunc (f *t) F() {}", undocumented, ""},
		{"long function", "wal/x.go", long, oversized, "f has 72 lines"},
		{"long test", "wal/x_test.go", long, oversized, ""},
		{"long file", "wal/x.go", "package p\n" + strings.Repeat("\n", maxFileLines), oversized, "501 lines"},
		{"empty word", "wal/file_utils.go", "package p", badNames, "utils"},
		{"sleep", "wal/x_test.go", "package p\nimport \"time\"\nfunc f() { time.Sleep(1) }", sleeps, "time.Sleep"},
		{"promise", "wal/x.go", "package p\n// TO" + "DO write it", leftForLater, "write it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := parse(token.NewFileSet(), c.path, c.path, c.text)
			if err != nil {
				t.Fatal(err)
			}
			switch got := c.check(f); {
			case c.want == "" && len(got) > 0:
				t.Errorf("complained about what is permitted: %q", got)
			case c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)):
				t.Errorf("got %q, want one complaint with %q", got, c.want)
			}
		})
	}
}

// TestMapGuardBites shows the check of map orders what it must find and what it must let pass.
func TestMapGuardBites(t *testing.T) {
	const text = `package p

import (
	"maps"
	"slices"
)

func f(m map[int]int, list []int) (sum int) {
	for range m { // line 9: found
	}
	for _, v := range m { // any order: a sum has none
		sum += v
	}
	// any order: it is
	// summed up
	for _, v := range m {
		sum += v
	}
	for range list {
	}
	_ = slices.Sorted(maps.Keys(m))
	_ = slices.Collect(maps.Keys(m)) // line 22: found
	return sum
}
`
	f, err := parse(token.NewFileSet(), "partitions/p.go", "p.go", text)
	if err != nil {
		t.Fatal(err)
	}
	got, err := mapRanges("p", []*file{f}, list(t, "maps", "slices"))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || !strings.HasPrefix(got[0], "partitions/p.go:9:") || !strings.HasPrefix(got[1], "partitions/p.go:22:") {
		t.Errorf("got %q, want lines 9 and 22", got)
	}
}
