package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"troupe/partitions/catalog"
)

// ErrInvalid is what every Error unwraps to.
var ErrInvalid = errors.New("config: invalid")

// Error is a setting that cannot be meant.
type Error struct {
	Where   string // as in Assignment.From
	Message string // what is wrong, and what would be right
}

// Error returns place and message.
func (e *Error) Error() string { return e.Where + ": " + e.Message }

// Unwrap returns ErrInvalid.
func (e *Error) Unwrap() error { return ErrInvalid }

// wrong makes an Error.
func wrong(where, pattern string, values ...any) error {
	return &Error{Where: where, Message: fmt.Sprintf(pattern, values...)}
}

// Sources are where settings may be given, weakest first.
type Sources struct {
	File        string   // YAML; "" for none
	Environment []string // NAME=value, as os.Environ returns it
	Flags       []Assignment
}

// Assignment is a setting given a value somewhere.
type Assignment struct {
	Name, Value string
	From        string // where it stands: "flag --data", "environment TROUPE_DATA_DIRECTORY", "troupe.yaml:3"
}

// Effective is a configuration that knows where it comes from.
type Effective struct {
	Config
	Values []Value // in the order of Settings
}

// Value is a setting in effect.
type Value struct {
	Setting
	Text string // as it would be written
	From string // "default", or where it was given
}

// Load reads all sources. It returns an *Error that names the setting, where it stands and what can stand there; or the
// system's error about the file.
func Load(sources Sources) (*Effective, error) {
	given := standards()
	if sources.File != "" {
		inFile, err := readFile(sources.File)
		if err != nil {
			return nil, err
		}
		given = append(given, inFile...)
	}
	inEnvironment, err := readEnvironment(sources.Environment)
	if err != nil {
		return nil, err
	}
	given = append(append(given, inEnvironment...), sources.Flags...)

	var e Effective
	from := make(map[string]string, len(given))
	for _, a := range given {
		s, ok := find(a.Name)
		if !ok {
			return nil, unknown(a)
		}
		if err := s.set(&e.Config, a.Value); err != nil {
			return nil, wrong(a.From, "%s cannot be %q; %v", a.Name, a.Value, err)
		}
		from[a.Name] = a.From
	}
	if err := e.Gateway.Limits.Validate(); err != nil {
		return nil, wrong("section gateway", "%v", err)
	}
	if err := e.Cluster.validate(); err != nil {
		return nil, wrong("section cluster", "%v", err)
	}
	e.complete()
	for _, s := range table {
		e.Values = append(e.Values, Value{Setting: s, Text: s.text(&e.Config), From: cmp.Or(from[s.Name], fromDefault)})
	}
	return &e, nil
}

// fromDefault is where a value comes from that nobody gave.
const fromDefault = "default"

// standards are the defaults that the table holds.
func standards() []Assignment {
	var given []Assignment
	for _, s := range table {
		if s.standard != "" {
			given = append(given, Assignment{s.Name, s.standard, fromDefault})
		}
	}
	return given
}

func find(name string) (Setting, bool) {
	i := slices.IndexFunc(table, func(s Setting) bool { return s.Name == name })
	if i < 0 {
		return Setting{}, false
	}
	return table[i], true
}

// unknown tells that no setting has this name, and which one may be meant.
func unknown(a Assignment) error {
	return wrong(a.From, "there is no setting %q; the nearest is %s (`troupe config show` lists them all)", a.Name, nearest(a.Name))
}

func nearest(name string) string {
	names := make([]string, len(table))
	for i, s := range table {
		names[i] = s.Name
	}
	return catalog.Nearest(name, names)
}

func nearestVariable(name string) string {
	names := append([]string(nil), otherVariables...)
	for _, s := range table {
		names = append(names, s.Environment())
	}
	return catalog.Nearest(name, names)
}

// isSection tells whether settings lie below a name.
func isSection(name string) bool {
	return slices.ContainsFunc(table, func(s Setting) bool { return strings.HasPrefix(s.Name, name+".") })
}
