package simulation

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"troupe/partitions/id"
)

// Scenario is a run whose faults and load are written down instead of drawn: a line for each, in the order of time.
//
//	# A leader is killed while it is written to.
//	brokers 3
//	topic orders replicas 3
//	0s   produce orders every 20ms
//	2s   name old leader
//	2s   kill old
//	2s   expect writes orders within 5s
//	8s   start old
//
// Lines without a time come first: they say what there is (scenario_settings.go). A line's time counts from the moment when all of that
// is there and at rest; a line that expects something holds up those behind it until it is so. The verbs are in scenario_verbs.go,
// what can be expected is in scenario_expect.go. After the last line everything heals, and whatever any run must keep must be kept.
//
// What is not written down still comes from a seed: the order of steps, delays, and what a power loss leaves of what was not synced.
type Scenario struct {
	Name       string // of its file
	Seed       uint64
	brokers    int
	topics     []layout
	segment    int           // bytes of a log's segments
	checkpoint int           // bytes between two checkpoints
	scrub      int           // bytes of old segments that a broker verifies in a second
	replace    time.Duration // without a broker, until its replicas are made anew elsewhere
	lines      []line
}

// layout is a topic and how many replicas its partitions have, on the first brokers.
type layout struct {
	name                 string
	partitions, replicas int
}

// line is one thing that happens at its time.
type line struct {
	number int
	text   string
	at     time.Duration
	act    action
}

// action is what a line does. Its error is why it could not, or what is not as expected.
type action func(*script) error

// ErrScenario is what a text is that is no scenario. The error that wraps it names the line.
var ErrScenario = errors.New("scenario")

// The bounds of a scenario.
const (
	mostLines    = 1000
	mostBrokers  = 7
	mostTopics   = 8
	mostOf       = 16 // partitions of a topic
	mostTime     = 2 * time.Hour
	longestLine  = 1000
	scenarioSeed = 1
)

// ParseScenario reads a scenario. The name is what errors call it.
func ParseScenario(name, text string) (*Scenario, error) {
	s := &Scenario{Name: name, Seed: scenarioSeed, brokers: 1, segment: 1 << 16, checkpoint: 1 << 14, replace: mostTime}
	known := map[string]bool{} // names that lines have given to brokers so far
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, longestLine)
	number := 0
	for lines.Scan() {
		number++
		text, _, _ := strings.Cut(lines.Text(), "#")
		w := &words{scenario: s, names: known, rest: strings.Fields(text)}
		if len(w.rest) == 0 {
			continue
		}
		if err := s.read(w, number, strings.TrimSpace(text)); err != nil {
			return nil, fmt.Errorf("%w %s:%d: %w", ErrScenario, name, number, err)
		}
	}
	switch err := lines.Err(); {
	case err != nil:
		return nil, fmt.Errorf("%w %s:%d: a line has at most %d bytes: %w", ErrScenario, name, number+1, longestLine, err)
	case len(s.lines) == 0:
		return nil, fmt.Errorf("%w %s:%d: nothing happens: no line begins with a time", ErrScenario, name, number)
	}
	return s, nil
}

// read takes one line.
func (s *Scenario) read(w *words, number int, text string) error {
	first := w.rest[0]
	if first[0] < '0' || first[0] > '9' {
		return s.set(w)
	}
	at, err := w.duration("a time", 0)
	if err != nil {
		return err
	}
	if n := len(s.lines); n > 0 && at < s.lines[n-1].at {
		return fmt.Errorf("%v is before %v, the time of line %d: lines stand in the order of time", at, s.lines[n-1].at, s.lines[n-1].number)
	}
	if len(s.lines) == mostLines {
		return fmt.Errorf("at most %d lines have a time", mostLines)
	}
	act, err := w.action()
	if err != nil {
		return err
	}
	s.lines = append(s.lines, line{number, text, at, act})
	return nil
}

// fates are what a scenario leaves to its seed: what becomes of what was not synced.
var fates = []Fault{FaultLostAll, FaultKeptAll, FaultLostSuffix, FaultLostPages, FaultTornPage, FaultZeroTail, FaultLostCreate, FaultLostRename}

// Run runs the scenario. Like the Run of a seed, only one may run in a process at a time.
func (s *Scenario) Run(trace io.Writer) *Report {
	c := Config{Seed: s.Seed, Nodes: s.brokers, Trace: trace, calm: true, Choice: Choice{Faults: only(fates)}}
	w := newWorld(c)
	w.options.SegmentBytes, w.options.Checkpoint, w.options.ReplaceAfter = s.segment, s.checkpoint, s.replace
	w.options.Topics, w.options.ScrubBytes = len(s.topics), int64(s.scrub)
	defer w.takeRandomness()()
	p := &script{Scenario: s, world: w, admin: newAdmin(w), topics: map[string]*Topic{}, names: map[string]*Broker{}}
	p.run()
	r := w.report(c)
	r.Scenario, r.Choice, r.Length = s.Name, Choice{}, max(0, w.healed-w.loaded)
	return r
}

// script is a scenario that runs.
type script struct {
	*Scenario
	world  *World
	admin  *Admin
	topics map[string]*Topic
	names  map[string]*Broker // given by lines
	begun  time.Duration
	marks  Marks // when it began
}

func (p *script) run() {
	w := p.world
	w.trace.event("run", "scenario", "%s", p.Name)
	w.trouble = true // as in any run under faults, only that none of them is drawn
	w.cluster.Start()
	for _, t := range p.Scenario.topics {
		p.admin.placeOn(t.name, func() [][]id.Node { return p.placements(t) }, func(made *Topic) { p.topics[t.name] = made })
	}
	if !w.reach("setup", p.ready) {
		return
	}
	w.load, w.loaded, p.begun, p.marks = true, w.scheduler.Now(), w.scheduler.Now(), w.marks
	for _, l := range p.lines {
		w.scheduler.Run(p.begun+l.at, w.over)
		if w.over() {
			return
		}
		w.trace.event("scenario", "line", "%d: %s", l.number, l.text)
		if err := l.act(p); err != nil {
			w.violate(violation("scenario", "%s:%d: %s: %v", p.Name, l.number, l.text, err))
			return
		}
	}
	w.rest(p.admin)
}

// ready tells that what the settings name is there and has all its replicas, for so long that they will stay.
func (p *script) ready() bool {
	if len(p.topics) < len(p.Scenario.topics) || !p.world.cluster.Up() {
		return false
	}
	for _, at := range p.world.livingPartitions() {
		if voters := p.world.cluster.voters(at); len(voters) < p.replicas(at) {
			return false
		}
	}
	return true
}

// replicas are how many a partition is to have; the catalog, as many as there can be.
func (p *script) replicas(at id.Partition) int {
	for _, t := range p.world.topics {
		if t.ID == at.Topic {
			return t.Replicas
		}
	}
	return min(3, p.brokers)
}

// placements puts replicas on the first brokers; the first of each partition's is another, in turn.
func (p *script) placements(t layout) [][]id.Node {
	all := make([][]id.Node, t.partitions)
	for i := range all {
		for j := range t.replicas {
			all[i] = append(all[i], p.world.cluster.brokers[(i+j)%t.replicas].identity)
		}
	}
	return all
}
