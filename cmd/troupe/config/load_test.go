package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"troupe/gateway"
)

// write makes a configuration file.
func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "troupe.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// load reads sources that have to be right.
func load(t *testing.T, sources Sources) *Effective {
	t.Helper()
	e, err := Load(sources)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestDefaults is a broker that is told nothing.
func TestDefaults(t *testing.T) {
	e := load(t, Sources{})
	want := Config{
		Data:    Data{Directory: "./troupe-data", Syncs: 8, ScrubBytes: 4 << 20, ScrubEvery: day},
		Gateway: Gateway{Address: "127.0.0.1:9642", Limits: gateway.Limits{}.WithDefaults()},
		Peer:    Peer{Address: "127.0.0.1:9643"},
		Gossip:  Gossip{Address: "127.0.0.1:9644"},
		HTTP:    HTTP{Address: "127.0.0.1:9645", PartitionSeries: 1000},
		Log:     Log{Level: "info", Format: "auto"},
		Serve:   Serve{DrainTime: 10 * time.Second},
	}
	if diff := cmp.Diff(want, e.Config); diff != "" {
		t.Error(diff)
	}
	for _, v := range e.Values {
		if v.From != "default" {
			t.Errorf("%s comes from %s", v.Name, v.From)
		}
	}
}

// TestPrecedence gives one setting after the other in one more source: the last decides, and is named.
func TestPrecedence(t *testing.T) {
	file := write(t, `
# what a stranger writes
data: {directory: /file}
gateway:
  address: 127.0.0.1:1
  idle_time: 7d
  frame_bytes: 16 MiB
gateway.wait_time: 50ms
http:
  # address: off
`)
	e := load(t, Sources{
		File:        file,
		Environment: []string{"HOME=/", "TROUPE_DATA_DIRECTORY=/environment", "TROUPE_GATEWAY_ADDRESS=127.0.0.1:2", "TROUPE_HTTP_ADDRESS="},
		Flags:       []Assignment{{"gateway.address", "127.0.0.1:3", "flag --gateway"}},
	})
	type source struct{ Text, From string }
	got := map[string]source{}
	for _, v := range e.Values {
		if v.From != "default" {
			got[v.Name] = source{v.Text, v.From}
		}
	}
	want := map[string]source{
		"data.directory":      {"/environment", "environment TROUPE_DATA_DIRECTORY"},
		"gateway.address":     {"127.0.0.1:3", "flag --gateway"},
		"gateway.idle_time":   {"7d", file + ":6"},
		"gateway.frame_bytes": {"16MiB", file + ":7"},
		"gateway.wait_time":   {"50ms", file + ":8"},
		"http.address":        {"", "environment TROUPE_HTTP_ADDRESS"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	limits := gateway.Limits{IdleTime: 7 * day, FrameBytes: 16 << 20, WaitMillis: 50}.WithDefaults()
	if diff := cmp.Diff(limits, e.Gateway.Limits); diff != "" {
		t.Error(diff)
	}
	if e.Data.Directory != "/environment" || e.Gateway.Address != "127.0.0.1:3" || e.HTTP.Address != "" {
		t.Errorf("%+v", e.Config)
	}
}

// TestWrongFile meets files that cannot be meant; each answer tells the line, and what would be right.
func TestWrongFile(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", "gateway:\n  adress: x\n", `:2: there is no setting "gateway.adress"; the nearest is gateway.address`},
		{"unknown section", "gatway:\n  address: x\n", `:2: there is no setting "gatway.address"; the nearest is gateway.address`},
		{"a section that is a value", "gateway: 127.0.0.1:9642\n", `:1: there is no setting "gateway"`},
		{"a value that is a list", "gateway:\n  address: [a, b]\n", ":2: gateway.address must be one value"},
		{"a value that is a section", "data:\n  directory:\n    name: x\n", `:3: there is no setting "data.directory.name"`},
		{"twice", "log:\n  level: info\nlog.level: warn\n", ":3: log.level stands on line 2 already"},
		{"not YAML", "gateway: [\n", "it is not YAML"},
		{"a list", "- gateway\n", ":1: the file must hold sections"},
		{"two documents", "log: {level: warn}\n---\nlog: {level: info}\n", "more than one document"},
		{"no level", "log:\n  level: loud\n", `:2: log.level cannot be "loud"; it can be debug, info, warn, error`},
		{"no size", "gateway:\n  frame_bytes: big\n", "1MiB"},
		{"no rate", "data:\n  scrub_bytes: 0\n", "off, or as a number of bytes"},
		{"no limit", "gateway:\n  connections: 0\n", "from 1 to"},
		{"a negative time", "gateway:\n  idle_time: -5s\n", "above zero"},
		{"no unit", "gateway:\n  idle_time: 5\n", "10s, 5m or 7d"},
		{"too short", "gateway:\n  wait_time: 1us\n", "at least 1ms"},
		{"no port", "gateway:\n  address: localhost\n", "HOST:PORT"},
		{"a port too far", "gateway:\n  address: localhost:99999\n", "HOST:PORT"},
		{"no switch", "http:\n  pprof: maybe\n", "true or false"},
		{"an empty path", "data:\n  directory: ''\n", "must not be empty"},
		{"a seed without a name", "cluster: {join: 'a,'}\n", "HOST or HOST:PORT"},
		{"a host with a port", "cluster: {advertise: 'a:1'}\n", "without a port"},
		{"a reference", "data: &a {directory: x}\nlog: *a\n", ":2: log must be one value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load(Sources{File: write(t, c.text)})
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "troupe.yaml") {
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
	t.Run("no file", func(t *testing.T) {
		_, err := Load(Sources{File: "/nowhere/troupe.yaml"})
		if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "--config") {
			t.Error(err)
		}
	})
	for _, empty := range []string{"", "# nothing\n", "---\n"} {
		if _, err := Load(Sources{File: write(t, empty)}); err != nil {
			t.Errorf("%q: %v", empty, err)
		}
	}
}

// TestEnvironment finds typing errors, and leaves what belongs to others.
func TestEnvironment(t *testing.T) {
	for _, c := range []struct{ name, variable, want string }{
		{"a typing error", "TROUPE_GATEWAY_ADRESS=x", "nearest is TROUPE_GATEWAY_ADDRESS"},
		{"the wrong section", "TROUPE_GATWAY_ADDRESS=x", "nearest is TROUPE_GATEWAY_ADDRESS"},
		{"the client's", "TROUPE_BROCKER=x", "nearest is TROUPE_BROKER"},
		{"a value that is none", "TROUPE_LOG_LEVEL=loud", "environment TROUPE_LOG_LEVEL: log.level cannot be"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Load(Sources{Environment: []string{c.variable}}); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
	load(t, Sources{Environment: []string{"TROUPE_BROKER=x", "TROUPE_CONFIG=y", "TROUPETTE=z",
		"TROUPE_SERVICE_HOST=10.0.0.1", "TROUPE_SERVICE_PORT_CLIENTS=9642", "TROUPE_PORT=tcp://10.0.0.1:9642",
		"TROUPE_PORT_9642_TCP=tcp://10.0.0.1:9642", "TROUPE_GATEWAY_PORT_9642_TCP_ADDR=10.0.0.1", "TROUPE_GATEWAY_SERVICE_PORT=1"}})
}

// TestSecretOpensPorts gives a broker a secret: what no one has chosen then listens on all interfaces.
func TestSecretOpensPorts(t *testing.T) {
	e := load(t, Sources{Flags: []Assignment{{"cluster.secret_file", "s", "flag"}, {"gossip.address", "127.0.0.1:1", "flag"}}})
	if got := e.Peer.Address + " " + e.Gossip.Address; got != ":9643 127.0.0.1:1" {
		t.Error(got)
	}
}

// TestContradictions gives settings that are fine alone and not together.
func TestContradictions(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"an expectation without names", "cluster: {bootstrap_expect: 3, join: 'a,b'}\n", "exactly 3 addresses, this broker's own among them, not 2"},
		{"half a certificate", "cluster: {certificate_file: a}\n", "cluster.key_file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Load(Sources{File: write(t, c.text)}); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
}

// TestFlags names the flag that is wrong.
func TestFlags(t *testing.T) {
	_, err := Load(Sources{Flags: []Assignment{{"gateway.idletime", "5s", "flag --set"}}})
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "flag --set") || !strings.Contains(err.Error(), "gateway.idle_time") {
		t.Error(err)
	}
}

// TestTable holds the table to what is promised of it.
func TestTable(t *testing.T) {
	var c Config
	fields := map[any]string{}
	names, flags := map[string]bool{}, map[string]bool{}
	for _, s := range Settings() {
		if names[s.Name] || s.Flag != "" && flags[s.Flag] {
			t.Errorf("%s or its flag %s stands twice", s.Name, s.Flag)
		}
		names[s.Name], flags[s.Flag] = true, true
		if other, taken := fields[s.field(&c)]; taken {
			t.Errorf("%s and %s are one field", s.Name, other)
		}
		fields[s.field(&c)] = s.Name
		if s.Description == "" || strings.HasSuffix(s.Description, ".") {
			t.Errorf("%s is described as %q", s.Name, s.Description)
		}
		if injected.MatchString(s.Environment()) {
			t.Errorf("%s looks like what Kubernetes injects", s.Environment())
		}
	}
	// Every limit of the gateway can be set.
	limits := reflect.ValueOf(&c.Gateway.Limits).Elem()
	for i := range limits.NumField() {
		if _, ok := fields[limits.Field(i).Addr().Interface()]; !ok {
			t.Errorf("gateway.Limits.%s has no line in the table of setting.go", limits.Type().Field(i).Name)
		}
	}
}

// TestTextReadsBack writes every value in effect and reads it again: nothing is lost on the way.
func TestTextReadsBack(t *testing.T) {
	first := load(t, Sources{File: write(t, "gateway: {frame_bytes: 10000001, idle_time: 1500ms, linger_time: 36h}\n")})
	var again []Assignment
	for _, v := range first.Values {
		again = append(again, Assignment{v.Name, v.Text, "flag"})
	}
	if diff := cmp.Diff(first.Config, load(t, Sources{Flags: again}).Config); diff != "" {
		t.Error(diff)
	}
}
