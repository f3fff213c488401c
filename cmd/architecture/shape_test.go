package architecture

import (
	"fmt"
	"go/ast"
	"go/token"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// The sizes at which a file or function is taken to hold two things. Tests may be longer.
const (
	maxFileLines     = 500
	maxFunctionLines = 70
)

// TestTopLevel holds the repository's root against the list of what may lie there.
func TestTopLevel(t *testing.T) {
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if slices.Contains(notOurs, name) || strings.HasSuffix(name, ".prof") || strings.HasSuffix(name, ".test") {
			continue
		}
		if !slices.Contains(topLevel, name) {
			t.Errorf("%s lies at the root; permitted are %s", name, strings.Join(topLevel, " "))
		}
	}
}

// TestPackagesHaveDoc demands a doc.go with a package comment of every package.
func TestPackagesHaveDoc(t *testing.T) {
	described := map[string]bool{}
	for _, f := range ourFiles(t) {
		if path.Base(f.path) == "doc.go" && f.tree.Doc != nil {
			described[f.folder()] = true
		}
	}
	reported := map[string]bool{}
	for _, f := range ourFiles(t) {
		if folder := f.folder(); !described[folder] && !reported[folder] {
			reported[folder] = true
			t.Errorf("%s has no doc.go that says what the package is for", folder)
		}
	}
}

// TestDocumented demands a comment on everything exported.
func TestDocumented(t *testing.T) { complain(t, undocumented) }

func undocumented(f *file) []string {
	if f.isTest() {
		return nil
	}
	var complaints []string
	demand := func(name *ast.Ident, docs ...*ast.CommentGroup) {
		if name.IsExported() && !slices.ContainsFunc(docs, func(c *ast.CommentGroup) bool { return c != nil }) {
			complaints = append(complaints, fmt.Sprintf("%s: %s has no comment", f.at(name.Pos()), name.Name))
		}
	}
	for _, d := range f.tree.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || receiver(d).IsExported() {
				demand(d.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					demand(s.Name, d.Doc, s.Doc, s.Comment)
				case *ast.ValueSpec:
					for _, name := range s.Names {
						demand(name, d.Doc, s.Doc, s.Comment)
					}
				}
			}
		}
	}
	return complaints
}

// receiver returns the name of the type that a method belongs to.
func receiver(d *ast.FuncDecl) *ast.Ident {
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x
		default:
			return ast.NewIdent("_")
		}
	}
}

// TestSizes finds files and functions that have grown too long.
func TestSizes(t *testing.T) { complain(t, oversized) }

func oversized(f *file) []string {
	if f.isTest() {
		return nil
	}
	var complaints []string
	if n := f.lines(); n > maxFileLines {
		complaints = append(complaints, fmt.Sprintf("%s: %d lines, at most %d: which second noun lives in it?", f.path, n, maxFileLines))
	}
	for _, d := range f.tree.Decls {
		if d, ok := d.(*ast.FuncDecl); ok {
			first, last := f.set.Position(d.Pos()).Line, f.set.Position(d.End()).Line
			if n := last - first + 1; n > maxFunctionLines {
				complaints = append(complaints, fmt.Sprintf("%s: %s has %d lines, at most %d", f.at(d.Pos()), d.Name.Name, n, maxFunctionLines))
			}
		}
	}
	return complaints
}

// TestNames finds files and packages whose names say nothing.
func TestNames(t *testing.T) { complain(t, badNames) }

func badNames(f *file) []string {
	var complaints []string
	name := strings.TrimSuffix(strings.TrimSuffix(path.Base(f.path), ".go"), "_test")
	for _, word := range append(strings.Split(name, "_"), strings.Split(f.folder(), "/")...) {
		if slices.Contains(refusedWords, word) {
			complaints = append(complaints, fmt.Sprintf("%s: %q says nothing about what is in it", f.path, word))
		}
	}
	return complaints
}

// TestNoSleeps finds tests that wait for time to pass instead of for what they need.
func TestNoSleeps(t *testing.T) { complain(t, sleeps) }

func sleeps(f *file) []string {
	if !f.isTest() {
		return nil
	}
	var complaints []string
	names := importNames(f)
	ast.Inspect(f.tree, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Sleep" {
			if x, ok := s.X.(*ast.Ident); ok && names[x.Name] == "time" {
				complaints = append(complaints, fmt.Sprintf("%s: time.Sleep in a test; wait for the thing itself", f.at(s.Pos())))
			}
		}
		return true
	})
	return complaints
}

// TestNothingLeftForLater finds notes that promise work instead of doing it.
func TestNothingLeftForLater(t *testing.T) { complain(t, leftForLater) }

func leftForLater(f *file) []string {
	var complaints []string
	for _, group := range f.tree.Comments {
		for _, c := range group.List {
			for _, mark := range []string{"TO" + "DO", "FIX" + "ME", "XX" + "X:"} {
				if strings.Contains(c.Text, mark) {
					complaints = append(complaints, fmt.Sprintf("%s: %s", f.at(token.Pos(c.Pos())), c.Text))
				}
			}
		}
	}
	return complaints
}
