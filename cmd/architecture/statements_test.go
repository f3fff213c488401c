package architecture

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// clocks are the ways in which package time makes a program depend on when it runs.
var clocks = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// seeded are the parts of math/rand/v2 that draw nothing but what a seed they are given decides.
var seeded = []string{"Rand", "Source", "New", "NewPCG", "PCG", "NewChaCha8", "ChaCha8"}

// waits are protoactor's calls that read the wall clock or block a thread, beyond the reach of a simulated clock.
var waits = []string{"RequestFuture", "SetReceiveTimeout", "PoisonFuture", "StopFuture", "WithReceiveTimeout"}

// TestStatements finds clocks, goroutines and global randomness in the rooms that must not have them.
func TestStatements(t *testing.T) { complain(t, wrongStatements) }

// wrongStatements returns what a room's rows clockless and sequential forbid, and the future calls no actor may use.
func wrongStatements(f *file) []string {
	r := roomOf(f.folder())
	if r == nil || f.isTest() || slices.Contains(r.exempt, f.path) {
		return nil
	}
	var complaints []string
	say := func(p token.Pos, what string) {
		complaints = append(complaints, fmt.Sprintf("%s: %s in %s; %s", f.at(p), what, r.folder, instead(r)))
	}
	names := importNames(f)
	ast.Inspect(f.tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			if r.sequential {
				say(n.Pos(), "go statement")
			}
		case *ast.SelectStmt:
			if r.sequential {
				say(n.Pos(), "select statement")
			}
		case *ast.SelectorExpr:
			if slices.Contains(waits, n.Sel.Name) && (r.folder == "actors" || r.folder == "simulation") {
				say(n.Pos(), "call of "+n.Sel.Name)
			}
			switch x, ok := n.X.(*ast.Ident); {
			case !ok:
			case names[x.Name] == "time" && r.clockless && slices.Contains(clocks, n.Sel.Name):
				say(n.Pos(), "time."+n.Sel.Name)
			case strings.HasPrefix(names[x.Name], "math/rand") && r.clockless && !slices.Contains(seeded, n.Sel.Name):
				say(n.Pos(), names[x.Name]+"."+n.Sel.Name)
			}
		}
		return true
	})
	return complaints
}

// instead says what to do in place of a forbidden statement.
func instead(r *room) string {
	switch {
	case within(r.folder, "partitions"):
		return "time, randomness and work are handed in and out: see house.md's habits, decide here and act elsewhere"
	case r.folder == "actors":
		return "use the seams (" + strings.Join(r.exempt, ", ") + " may)"
	case r.folder == "wal":
		return "goroutines and clocks are the caller's"
	default:
		return "draw it from the seed and the virtual clock"
	}
}

// importNames maps the names by which a file knows its imports to their paths.
func importNames(f *file) map[string]string {
	names := map[string]string{}
	for _, spec := range f.tree.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		name := target[strings.LastIndex(target, "/")+1:]
		if name == "v2" {
			name = "rand" // math/rand/v2, the only one of the standard library
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = target
	}
	return names
}
