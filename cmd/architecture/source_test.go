package architecture

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const root = "../.."

// file is one parsed Go file of the module.
type file struct {
	path string // relative to the module, with slashes
	set  *token.FileSet
	tree *ast.File
}

func (f *file) folder() string { return path.Dir(f.path) }
func (f *file) isTest() bool   { return strings.HasSuffix(f.path, "_test.go") }
func (f *file) lines() int     { return f.set.File(f.tree.FileStart).LineCount() }

// at names a place in the file as an editor understands it.
func (f *file) at(p token.Pos) string { return fmt.Sprintf("%s:%d", f.path, f.set.Position(p).Line) }

// source parses every Go file of the module, once.
var source = sync.OnceValues(func() ([]*file, error) {
	var files []*file
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		relative = filepath.ToSlash(relative)
		if entry.IsDir() {
			if entry.Name() == "testdata" || slices.Contains(notOurs, relative) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		f, err := parse(token.NewFileSet(), relative, name, nil)
		if err == nil {
			files = append(files, f)
		}
		return err
	})
	return files, err
})

// parse reads one file, from text when it is given.
func parse(set *token.FileSet, relative, name string, text any) (*file, error) {
	tree, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	return &file{path: relative, set: set, tree: tree}, nil
}

// ourFiles returns the module's files, or ends the test.
func ourFiles(t *testing.T) []*file {
	t.Helper()
	files, err := source()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 10 {
		t.Fatalf("found only %d Go files under %s: the walk is broken", len(files), root)
	}
	return files
}

// complain fails the test with everything that check finds in the module.
func complain(t *testing.T, check func(*file) []string) {
	t.Helper()
	for _, f := range ourFiles(t) {
		for _, complaint := range check(f) {
			t.Error(complaint)
		}
	}
}
