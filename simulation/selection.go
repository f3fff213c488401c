package simulation

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Selection names some of the things that are counted by name: "crash:1,lost-frame:3-5" are the first crash and three lost frames.
// The nil Selection is everything, an empty one nothing.
//
//	selection = "all" | "none" | item *("," item)
//	item      = name ":" first ["-" last]
type Selection map[string][]Span

// Span is a range of numbers from 1 on, both ends included. Those of a name ascend and leave something out between them.
type Span struct{ First, Last int }

// ErrSelection is what a text is that names no selection.
var ErrSelection = errors.New("not a selection")

// The selections that name nothing in particular.
const (
	selectAll  = "all"
	selectNone = "none"
)

// mostNumber bounds what a selection names, so that numbers can be added.
const mostNumber = 1 << 30

// ParseSelection reads what String writes, in any order.
func ParseSelection(text string) (Selection, error) {
	switch text {
	case selectAll:
		return nil, nil
	case selectNone:
		return Selection{}, nil
	}
	s := Selection{}
	for item := range strings.SplitSeq(text, ",") {
		name, numbers, found := strings.Cut(item, ":")
		span, ok := parseSpan(numbers)
		if !found || !ok || name == "" {
			return nil, fmt.Errorf("%q is %w: it wants NAME:NUMBER or NAME:FIRST-LAST, from 1 on, as in crash:1,lost-frame:3-5", item, ErrSelection)
		}
		s[name] = append(s[name], span)
	}
	for name, spans := range s { // any order: each for itself
		s[name] = joined(spans)
	}
	return s, nil
}

func parseSpan(text string) (Span, bool) {
	low, high, ranged := strings.Cut(text, "-")
	first, err := strconv.Atoi(low)
	last := first
	if ranged && err == nil {
		last, err = strconv.Atoi(high)
	}
	return Span{first, last}, err == nil && 1 <= first && first <= last && last <= mostNumber
}

// joined puts spans in order and those together that touch.
func joined(spans []Span) []Span {
	slices.SortFunc(spans, func(a, b Span) int { return a.First - b.First })
	all := spans[:1]
	for _, s := range spans[1:] {
		if end := &all[len(all)-1]; s.First <= end.Last+1 {
			end.Last = max(end.Last, s.Last)
		} else {
			all = append(all, s)
		}
	}
	return all
}

// String writes the selection, by name.
func (s Selection) String() string {
	switch {
	case s == nil:
		return selectAll
	case s.Len() == 0:
		return selectNone
	}
	var items []string
	for _, name := range slices.Sorted(maps.Keys(s)) {
		for _, span := range s[name] {
			item := name + ":" + strconv.Itoa(span.First)
			if span.Last > span.First {
				item += "-" + strconv.Itoa(span.Last)
			}
			items = append(items, item)
		}
	}
	return strings.Join(items, ",")
}

// Len is how many things are named; of everything it is not known, and 0.
func (s Selection) Len() int {
	n := 0
	for _, spans := range s { // a sum: the order does not matter
		for _, span := range spans {
			n += span.Last - span.First + 1
		}
	}
	return n
}

// MarshalText writes the selection as String does.
func (s Selection) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *Selection) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSelection(string(text))
	return err
}

func (s Selection) has(name string, n int) bool {
	return s == nil || slices.ContainsFunc(s[name], func(span Span) bool { return span.First <= n && n <= span.Last })
}

// all walks through everything that is named, name by name and then by number.
func (s Selection) all() iter.Seq[part] {
	return func(yield func(part) bool) {
		for _, name := range slices.Sorted(maps.Keys(s)) {
			for _, span := range s[name] {
				for n := span.First; n <= span.Last; n++ {
					if !yield(part{name, n}) {
						return
					}
				}
			}
		}
	}
}

// add names one more thing, whose number is above all others of that name.
func (s Selection) add(name string, n int) {
	spans := s[name]
	if last := len(spans) - 1; last >= 0 && spans[last].Last+1 == n {
		spans[last].Last = n
		return
	}
	s[name] = append(spans, Span{n, n})
}
