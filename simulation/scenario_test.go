package simulation

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func scenarioFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("scenarios/*.txt")
	must(t, err)
	if len(files) < 10 {
		t.Fatalf("there are %d scenarios", len(files))
	}
	return files
}

func readScenario(t testing.TB, file string) *Scenario {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	s, err := ParseScenario(file, string(text))
	must(t, err)
	return s
}

// TestScenarios runs the named regressions: each twice with its own seed, to the same hash, and once with another, which may do
// no harm either.
func TestScenarios(t *testing.T) {
	for _, file := range scenarioFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			s := readScenario(t, file)
			first := s.Run(nil)
			second := s.Run(nil)
			s.Seed++
			for _, r := range []*Report{first, s.Run(nil)} {
				if r.Violation != nil {
					t.Errorf("%v\nreplay: %s", r.Violation, r.Replay())
				}
			}
			if first.Hash != second.Hash {
				t.Errorf("hash %s, then %s", first.Hash, second.Hash)
			}
		})
	}
}

// TestScenarioTellsWhatIsNotSo: what is expected in vain ends the run, and the line is named.
func TestScenarioTellsWhatIsNotSo(t *testing.T) {
	for _, c := range []struct{ lines, want string }{
		{"0s expect leader orders is not leader", "x:3: 0s expect leader orders is not leader: broker-"},
		{"1s unplug all\n1s expect writes orders within 2s", "x:4: 1s expect writes orders within 2s: 0 of 1 batches sent now are acknowledged"},
		{"0s expect no-write orders for 5s", "1 of 1 batches sent now are acknowledged"},
		{"0s expect mark hole-filled within 1s", "it did not come about"},
		{"0s kill a\n1s kill a", "x:4: 1s kill a: broker-a is down"},
		{"0s start a", "broker-a runs"},
		{"0s corrupt a orders flip", "kill, unplug or stop it first"},
		{"0s resume b", "broker-b does not stand still"},
		{"0s kill a,b\n1s wipe c", "no quorum"},
		{"0s kill b\n0s expect up all within 3s", "broker-b is down"},
		{"0s kill leader,follower\n5s kill leader", "nobody leads orders/0 now"},
		{"0s partition a,b from b,c", "broker-b is on both sides"},
	} {
		s, err := ParseScenario("x", "brokers 3\ntopic orders\n"+c.lines)
		must(t, err)
		r := s.Run(nil)
		if r.Violation == nil || r.Violation.Invariant != "scenario" || !strings.Contains(r.Violation.Evidence, c.want) {
			t.Errorf("%s\nis told as %v, want %q", c.lines, r.Violation, c.want)
		}
	}
}

func TestScenarioIsRefused(t *testing.T) {
	for _, c := range []struct {
		text string
		line int
		want string
	}{
		{"", 0, "nothing happens"},
		{"brokers 3\n# only a remark", 2, "nothing happens"},
		{"brokers 0", 1, "a number from 1 to 7 (usage: brokers NUMBER)"},
		{"brokers 3 4", 1, `"4" is not expected`},
		{"brokrs 3", 1, "nearest: brokers"},
		{"topic t\nbrokers 3", 2, "stands behind a topic"},
		{"topic t replicas 2", 1, "from 1 to 1"},
		{"topic T", 1, "no name of a topic"},
		{"topic t\ntopic t", 2, `there is a topic "t" already`},
		{"0s heal\nbrokers 3", 2, "what there is comes first"},
		{"2s heal\n1s heal", 2, "the time of line 1"},
		{"2x heal", 1, `"2x" is not a time`},
		{"-2s heal", 1, "begins with its time"},
		{"0s kil a", 1, "nearest: kill"},
		{"0s", 1, `no verb is called ""`},
		{"0s kill", 1, "usage: kill BROKER"},
		{"0s kill b", 1, `no broker is called "b": they are a,`},
		{"0s kill leader", 1, "there is no topic"},
		{"brokers 3\n0s kill a,,b", 2, `no broker is called ""`},
		{"0s name a a", 1, "no name for a broker"},
		{"0s kill first", 1, "what `name` has named before"},
		{"topic t\n0s produce t", 2, "how often?"},
		{"topic t\n0s produce u every 1s", 2, `no topic is called "u"`},
		{"topic t\n0s produce t/1 every 1s", 2, "it has 1, from 0 on"},
		{"topic t\n0s corrupt a t bend", 2, "neither flip nor zero nor cut"},
		{"brokers 2\n0s partition a with b", 2, "neither from nor to"},
		{"brokers 2\n0s partition rest to rest", 2, "the rest of whom?"},
		{"0s expect peace", 1, "nothing that can be expected is called"},
		{"0s expect mark hole-filed", 1, "nearest: hole-filled"},
		{"topic t\n0s expect leader t within", 2, "how long it may take"},
		{strings.Repeat("#", longestLine+1), 1, "at most"},
	} {
		_, err := ParseScenario("x.txt", c.text)
		if !errors.Is(err, ErrScenario) || !strings.Contains(err.Error(), fmt.Sprintf("x.txt:%d: ", c.line)) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q is told as %v, want line %d and %q", c.text, err, c.line, c.want)
		}
	}
}

// TestScenariosUseEverything: what no scenario does, nobody has seen work.
func TestScenariosUseEverything(t *testing.T) {
	used := map[string]bool{}
	for _, file := range scenarioFiles(t) {
		text, err := os.ReadFile(file)
		must(t, err)
		for _, word := range strings.Fields(string(text)) {
			used[word] = true
		}
	}
	for name := range verbs {
		if !used[name] {
			t.Errorf("no scenario says %q", name)
		}
	}
	for name := range conditions {
		if !used[name] {
			t.Errorf("no scenario expects %q", name)
		}
	}
}

// FuzzScenario: whatever is no scenario is refused with a line that is there.
func FuzzScenario(f *testing.F) {
	for _, file := range scenarioFiles(f) {
		text, err := os.ReadFile(file)
		must(f, err)
		f.Add(string(text))
	}
	f.Add("brokers 3\ntopic t partitions 2\n1s partition a,b from rest\n2s expect leader t/1 is not leader within 3s")
	where := regexp.MustCompile(`^scenario x:(\d+): `)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseScenario("x", text)
		if err == nil {
			if len(s.lines) == 0 || len(s.lines) > mostLines || s.brokers < 1 || s.brokers > mostBrokers || len(s.topics) > mostTopics {
				t.Fatalf("%q is read as %+v", text, s)
			}
			return
		}
		found := where.FindStringSubmatch(err.Error())
		if !errors.Is(err, ErrScenario) || found == nil {
			t.Fatalf("%q is told as %v", text, err)
		}
		if n, _ := strconv.Atoi(found[1]); n > strings.Count(text, "\n")+1 {
			t.Fatalf("%q has no line %d: %v", text, n, err)
		}
	})
}
