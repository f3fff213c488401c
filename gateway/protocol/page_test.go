package protocol

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"
)

// PROTOCOL.md is for people; these tests hold it to the codec.

const pageFile = "PROTOCOL.md"

// row is one key of a message on the page.
type row struct{ key, kind, def string }

// page holds the tables of PROTOCOL.md by message name, and each API's heading line.
type page struct {
	messages map[string][]row
	apis     map[string]string
	errors   []string // the table, line by line
	text     string
}

func readPage(t *testing.T) page {
	text, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	p := page{messages: map[string][]row{}, apis: map[string]string{}, text: string(text)}
	api, message := "", ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "## "):
			api, message = line[3:], ""
		case strings.HasPrefix(line, "API "):
			p.apis[api] = line
		case strings.HasPrefix(line, "Request:"):
			message = api + "Request"
			p.messages[message] = nil
		case strings.HasPrefix(line, "Response:"):
			message = api + "Response"
			p.messages[message] = nil
		case strings.HasPrefix(line, "|") && !strings.HasPrefix(line, "|---") && !strings.HasPrefix(line, "| key") && message != "":
			cells := strings.Split(line, " | ")
			r := row{key: strings.TrimPrefix(cells[0], "| "), kind: cells[1]}
			if strings.HasSuffix(message, "Request") {
				r.def = cells[2]
			}
			p.messages[message] = append(p.messages[message], r)
		case strings.HasPrefix(line, "|") && api == "Errors" && !strings.HasPrefix(line, "|---") && !strings.HasPrefix(line, "| code"):
			p.errors = append(p.errors, line)
		}
	}
	return p
}

// tree decodes a body without a schema, which only a test may do.
func tree(t *testing.T, b Body) map[string]any {
	var v map[string]any
	if err := msgpack.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// shape collects the keys of a body with their types, as the page writes them.
func shape(into map[string]string, at string, v any) {
	kind := "?"
	switch v := v.(type) {
	case string:
		kind = "str"
		if regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(v) {
			kind = "hex"
		}
	case []byte:
		kind = "bin"
	case bool:
		kind = "bool"
	case int8, int16, int32, int64, uint8, uint16, uint32, uint64:
		kind = "int"
	case nil:
		return
	case map[string]any:
		kind = "map"
		if !strings.HasSuffix(at, "settings") {
			for key, inner := range v {
				shape(into, strings.TrimPrefix(at+"."+key, "."), inner)
			}
		}
	case []any:
		kind = "array"
		switch {
		case strings.HasSuffix(at, "error"):
			kind = "error"
		case strings.HasSuffix(at, "records"):
			kind = "records"
		default:
			for _, inner := range v {
				if _, ok := inner.(map[string]any); ok {
					shape(into, at+"[]", inner)
				} else {
					element := map[string]string{}
					shape(element, "x", inner)
					kind = "array of " + element["x"]
				}
			}
		}
	}
	if at == "" || strings.HasSuffix(at, "[]") || (kind == "array" && into[at] != "") {
		return // no key of its own, or an empty array beside one whose elements told more
	}
	into[at] = kind
}

func TestPageTellsEveryKey(t *testing.T) {
	p := readPage(t)
	for _, s := range samples() {
		want := map[string]string{}
		shape(want, "", tree(t, s.body()))
		got := map[string]string{}
		for _, r := range p.messages[s.name] {
			got[r.key] = r.kind
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-codec +page):\n%s", s.name, diff)
		}
	}
	for _, a := range apis {
		want := fmt.Sprintf("API %d, version 1", a.api)
		if a.max != 1 {
			want = fmt.Sprintf("API %d, versions 1 to %d", a.api, a.max)
		}
		if got := p.apis[a.name]; !strings.HasPrefix(got, want) {
			t.Errorf("%s: the page says %q, want %q", a.name, got, want)
		}
	}
	if len(p.messages) != 2*len(apis) || len(p.apis) != len(apis) {
		t.Errorf("the page has %d messages of %d APIs, want %d", len(p.messages), len(p.apis), len(apis))
	}
}

// change sets or removes the key at path in a body; in arrays it takes the first element.
func change(v map[string]any, path string, to any, remove bool) bool {
	head, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		if remove {
			delete(v, head)
		} else {
			v[head] = to
		}
		return true
	}
	if list, ok := v[strings.TrimSuffix(head, "[]")].([]any); ok {
		return len(list) > 0 && change(list[0].(map[string]any), rest, to, remove)
	}
	return false
}

func lookup(v map[string]any, path string) any {
	head, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		return v[head]
	}
	return lookup(v[strings.TrimSuffix(head, "[]")].([]any)[0].(map[string]any), rest)
}

// Each key of each request: of a wrong type it is refused by name; left out it is refused by name, or has the default that
// the page says; nil is left out.
func TestPageTellsDefaults(t *testing.T) {
	p := readPage(t)
	for _, s := range samples() {
		for _, r := range p.messages[s.name] {
			if !s.isRequest() {
				continue
			}
			name, path := s.name+" "+r.key, strings.ReplaceAll(r.key, "[]", "[0]")
			decode := func(to any, remove bool) (Message, error) {
				v := tree(t, s.body())
				if r.key == "partitions[].time" {
					change(v, "partitions[].at", "latest", false) // with "time" it is required
				}
				change(v, r.key, to, remove)
				b, err := msgpack.Marshal(v)
				if err != nil {
					t.Fatal(err)
				}
				m := s.empty()
				return m, Body(b).Decode(m)
			}
			var wrong *FieldError
			if _, err := decode(1.5, false); !errors.As(err, &wrong) || wrong.Path != path {
				t.Errorf("%s of a wrong type: %v", name, err)
			}
			for _, left := range []bool{true, false} {
				m, err := decode(nil, left)
				switch r.def {
				case "*required*":
					if !errors.As(err, &wrong) || wrong.Path != path {
						t.Errorf("%s left out: %v", name, err)
					}
				case "*either*": // the sample's first partition has a batch, and no records
					if (err != nil) != (r.key == "partitions[].batch") {
						t.Errorf("%s left out: %v", name, err)
					}
				default:
					if err != nil {
						t.Errorf("%s left out: %v", name, err)
						continue
					}
					if got := literal(lookup(tree(t, encodeBody(m)), r.key)); "`"+got+"`" != r.def {
						t.Errorf("%s left out is %s, the page says %s", name, got, r.def)
					}
				}
			}
		}
	}
}

func literal(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case []any:
		return "[]"
	case map[string]any:
		return "{}"
	default:
		return fmt.Sprint(v)
	}
}

func TestPageTellsErrors(t *testing.T) {
	p := readPage(t)
	detailKeys := [...]string{detailsNone: "", detailsRange: "asked, log_start, log_end", detailsLimit: "limit", detailsWait: "limit, wait_ms", detailsLeader: "leader, gateway, term"}
	var want, names []string
	for _, k := range kinds {
		retriable := map[bool]string{true: "yes", false: "no"}[k.Retriable]
		line := fmt.Sprintf("| %d | %s | %s | %v | %s | %s |", k.Code, k.Name, retriable, k.Outcome, detailKeys[k.details], k.Sentence)
		want, names = append(want, line), append(names, k.Name)
	}
	if *update {
		text := p.text[:strings.LastIndex(p.text, "|---|\n")+len("|---|\n")] + strings.Join(want, "\n") + "\n"
		if err := os.WriteFile(pageFile, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, p.errors); diff != "" {
		t.Errorf("(-table +page):\n%s", diff)
	}
	for _, name := range regexp.MustCompile(`\b[A-Z]+(?:_[A-Z]+)+\b`).FindAllString(p.text, -1) {
		if !slices.Contains(names, name) {
			t.Errorf("the page names an error that does not exist: %s", name)
		}
	}
}
