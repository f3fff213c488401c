package architecture

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// orderComment on the line of a range over a map, or on the one above, says why its order cannot be seen.
const orderComment = "any order:"

// listed is what `go list` tells about a package.
type listed struct {
	ImportPath, Export, Dir string
	GoFiles                 []string
}

// TestMapOrder finds ranges over maps, whose order differs from run to run, in rooms that must be deterministic.
func TestMapOrder(t *testing.T) {
	packages := list(t, "./partitions/...")
	set := token.NewFileSet()
	for _, p := range packages {
		folder := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if r := roomOf(folder); !within(p.ImportPath, module) || r == nil || !r.ordered {
			continue
		}
		var files []*file
		for _, name := range p.GoFiles {
			f, err := parse(set, folder+"/"+name, filepath.Join(p.Dir, name), nil)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		complaints, err := mapRanges(p.ImportPath, files, packages)
		if err != nil {
			t.Fatal(err)
		}
		for _, complaint := range complaints {
			t.Error(complaint)
		}
	}
}

// mapRanges type-checks one package and returns the ranges over maps, and the iterators over maps that are not sorted on
// the spot, for which no comment answers.
func mapRanges(path string, files []*file, packages map[string]listed) ([]string, error) {
	set := files[0].set
	config := types.Config{Importer: importer.ForCompiler(set, "gc", func(target string) (io.ReadCloser, error) {
		p, ok := packages[target]
		if !ok {
			return nil, fmt.Errorf("go list knows no %s", target)
		}
		return os.Open(p.Export)
	})}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	var trees []*ast.File
	for _, f := range files {
		trees = append(trees, f.tree)
	}
	if _, err := config.Check(path, set, trees, info); err != nil {
		return nil, err
	}
	var complaints []string
	for _, f := range files {
		for _, p := range unordered(f, info) {
			complaints = append(complaints, fmt.Sprintf("%s: the order of a map can be seen; sort it, or say why not in a comment that begins with %q",
				f.at(p), orderComment))
		}
	}
	return complaints, nil
}

// unordered returns where a file lets a map's order out.
func unordered(f *file, info *types.Info) []token.Pos {
	answered := map[int]bool{}
	for _, group := range f.tree.Comments {
		for _, c := range group.List {
			if strings.Contains(c.Text, orderComment) {
				line := f.set.Position(c.End()).Line
				answered[line], answered[f.set.Position(group.End()).Line+1] = true, true
			}
		}
	}
	var found []token.Pos
	sorted := map[ast.Node]bool{}
	ast.Inspect(f.tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.RangeStmt:
			if _, isMap := info.Types[n.X].Type.Underlying().(*types.Map); isMap && !answered[f.set.Position(n.Pos()).Line] {
				found = append(found, n.Pos())
			}
		case *ast.CallExpr:
			if called := calls(n, info); strings.HasPrefix(called, "slices.Sorted") {
				sorted[n.Args[0]] = true
			} else if (called == "maps.Keys" || called == "maps.Values" || called == "maps.All") &&
				!sorted[n] && !answered[f.set.Position(n.Pos()).Line] {
				found = append(found, n.Pos())
			}
		}
		return true
	})
	return found
}

// calls names the package function that a call goes to, or nothing.
func calls(c *ast.CallExpr, info *types.Info) string {
	selector, ok := c.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	f, ok := info.Uses[selector.Sel].(*types.Func)
	if !ok || f.Pkg() == nil {
		return ""
	}
	return f.Pkg().Path() + "." + f.Name()
}

// list returns packages and everything they import, compiled, by import path.
func list(t *testing.T, patterns ...string) map[string]listed {
	t.Helper()
	command := exec.Command("go", append([]string{"list", "-export", "-deps", "-json=ImportPath,Export,Dir,GoFiles"}, patterns...)...)
	command.Dir = root
	var problems bytes.Buffer
	command.Stderr = &problems
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, problems.String())
	}
	packages := map[string]listed{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); err == io.EOF {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages[p.ImportPath] = p
	}
}
