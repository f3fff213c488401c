package simulation

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"troupe/partitions/catalog"
)

// FaultSet is the kinds of fault that may happen. The zero set is all of them.
type FaultSet struct{ without [faultKinds]bool }

// ErrUnknownFault is a name that no kind of fault bears.
var ErrUnknownFault = errors.New("unknown fault")

// follows tells which kinds nobody plans: each comes about by another, and is chosen with it.
var follows = map[Fault]Fault{
	FaultCrashInOpen: FaultCrashInDisk, FaultNoRoom: FaultDiskFull, FaultTickBurst: FaultPause, FaultRetry: FaultCutConnection,
}

// AllFaults lists every kind.
func AllFaults() []Fault {
	var all []Fault
	for kind := range faultKinds {
		all = append(all, kind)
	}
	return all
}

// only is the set of these kinds.
func only(kinds []Fault) (set FaultSet) {
	for i := range set.without {
		set.without[i] = !slices.Contains(kinds, Fault(i))
	}
	return set
}

// ParseFaults reads "all", "none", or names with commas between them. A kind that comes about by another brings that along.
func ParseFaults(text string) (FaultSet, error) {
	set := only(nil)
	switch text {
	case selectAll:
		return FaultSet{}, nil
	case selectNone:
		return set, nil
	}
	for name := range strings.SplitSeq(text, ",") {
		kind, err := parseFault(name)
		if err != nil {
			return FaultSet{}, err
		}
		set.without[kind] = false
		if cause, ok := follows[kind]; ok {
			set.without[cause] = false
		}
	}
	return set, nil
}

func parseFault(name string) (Fault, error) {
	var names []string
	for kind := range faultKinds {
		if name == kind.String() {
			return kind, nil
		}
		names = append(names, kind.String())
	}
	return 0, fmt.Errorf("%w %q (nearest: %s); --faults list shows them all", ErrUnknownFault, name, catalog.Nearest(name, names))
}

// Has tells whether a kind may happen.
func (s FaultSet) Has(kind Fault) bool { return !s.without[kind] }

// String writes what ParseFaults reads.
func (s FaultSet) String() string {
	var names []string
	for i, without := range s.without {
		if !without {
			names = append(names, Fault(i).String())
		}
	}
	switch len(names) {
	case int(faultKinds):
		return selectAll
	case 0:
		return selectNone
	}
	return strings.Join(names, ",")
}

// MarshalText writes the set as String does.
func (s FaultSet) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *FaultSet) UnmarshalText(text []byte) (err error) {
	*s, err = ParseFaults(string(text))
	return err
}

// ParseStrikes reads a selection of faults.
func ParseStrikes(text string) (Selection, error) {
	s, err := ParseSelection(text)
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if _, err := parseFault(name); err != nil {
			return nil, err
		}
	}
	return s, err
}
