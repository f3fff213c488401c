package architecture

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "troupe"

// TestImports holds every import against the table of rooms_test.go.
func TestImports(t *testing.T) { complain(t, wrongImports) }

// wrongImports returns the offending arrow beside the permitted ones.
func wrongImports(f *file) []string {
	r := roomOf(f.folder())
	if r == nil {
		return []string{fmt.Sprintf("%s: no room of the house holds %s; add it to the table on purpose or move the file", f.path, f.folder())}
	}
	var complaints []string
	for _, spec := range f.tree.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return []string{fmt.Sprintf("%s: %v", f.at(spec.Pos()), err)}
		}
		if permitted, ok := mayImport(r, f, target); !ok {
			complaints = append(complaints, fmt.Sprintf("%s: %s ──► %s, but permitted is %s ──► %s",
				f.at(spec.Pos()), r.folder, target, r.folder, permitted))
		}
	}
	return complaints
}

// mayImport tells whether the arrow is permitted, and which ones of its kind are.
func mayImport(r *room, f *file, target string) (permitted string, ok bool) {
	switch {
	case within(target, module):
		folder := strings.TrimPrefix(strings.TrimPrefix(target, module), "/")
		to := roomOf(folder)
		if to == nil {
			return "the rooms of the table", false
		}
		ok = to == r || slices.Contains(r.rooms, to.folder) || f.isTest() && slices.Contains(r.tests, to.folder)
		return "{" + strings.Join(r.rooms, ", ") + "}", ok
	case strings.Contains(strings.SplitN(target, "/", 2)[0], "."):
		ok = anyWithin(target, r.doors) || f.isTest() && (anyWithin(target, testDoors) || anyWithin(target, r.tests))
		return "third parties {" + strings.Join(r.doors, ", ") + "}", ok
	default:
		exempt := f.isTest() || slices.Contains(r.exempt, f.path)
		return "the standard library without {" + strings.Join(r.banned, ", ") + "}", exempt || !anyWithin(target, r.banned)
	}
}
