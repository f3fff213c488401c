package simulation

import (
	"crypto/rand"
	"fmt"
	"io"
	"strconv"
	"time"

	"troupe/partitions/id"
)

// Config says what to run.
type Config struct {
	Seed uint64
	// Length is the virtual time under load and faults; 0: DefaultLength.
	Length time.Duration
	// Trace takes a line for each event worth seeing; nil: nobody looks.
	Trace io.Writer
	// Nodes is how many brokers there are; 0: the seed draws it.
	Nodes int
	// Choice is what of the seed may come to pass.
	Choice Choice
	// RealDisk lets the production wal keep the logs, over real files, in place of its twin. The run has the process's working
	// directory for itself then.
	RealDisk bool
	// calm: the seed draws no fault.
	calm bool
}

// DefaultLength is how long a run is under load, unless told otherwise.
const DefaultLength = 20 * time.Second

// patienceAtRest is how long everything may take to settle once all faults are over.
const patienceAtRest = 60 * time.Second

// Report is what became of a run.
type Report struct {
	Scenario  string `json:",omitempty"` // its name, where that is what was run
	Seed      uint64
	RealDisk  bool `json:",omitempty"`
	Options   Options
	Length    time.Duration
	Simulated time.Duration // virtual time that passed in all
	Steps     uint64
	Sends     int
	Acked     int
	Unknown   int
	Records   int
	Polls     int
	Faults    Faults
	Marks     Marks
	Hash      string
	Violation *Violation `json:",omitempty"`
	// Choice is what of the seed was to come to pass. Struck and Done are what did, of faults and of operations.
	Choice Choice
	Struck Selection
	Done   Selection
	Loaded time.Duration // when the load began; 0: it never did

	strikes []Strike
}

// Replay is the command that runs the same again, with every event printed.
func (r *Report) Replay() string {
	if r.Scenario != "" {
		return fmt.Sprintf("go run ./cmd/troupe-sim --scenario %s --seed %d --trace", r.Scenario, r.Seed)
	}
	disk := ""
	if r.RealDisk {
		disk = " --disk real"
	}
	return fmt.Sprintf("go run ./cmd/troupe-sim --seed %d --nodes %d --length %v%s%s --trace", r.Seed, r.Options.Nodes, r.Length, disk, r.Choice.flags())
}

// Run runs one seed: a broker under load and faults, then at rest, then read whole and judged. It replaces
// crypto/rand.Reader meanwhile, so only one may run in a process at a time.
func Run(c Config) *Report {
	if c.Length == 0 {
		c.Length = DefaultLength
	}
	if c.RealDisk {
		leave, err := enterRoot()
		demand(err)
		defer leave()
	}
	w := newWorld(c)
	defer w.cluster.cease()
	defer w.takeRandomness()()
	w.live(c.Length)
	return w.report(c)
}

// takeRandomness has raft draw from the run's stream, until the returned function gives the system's back.
func (w *World) takeRandomness() (giveBack func()) {
	system := rand.Reader
	rand.Reader = w.streams.Reader("raft")
	return func() { rand.Reader = system }
}

func newWorld(c Config) *World {
	streams := Streams{c.Seed}
	w := &World{
		streams: streams, realFiles: c.RealDisk, options: drawOptions(streams.Named("options")), trace: NewTrace(c.Trace),
		deleted: map[id.Partition]bool{}, ids: map[id.Producer]bool{}, plan: &Plan{choice: c.Choice},
	}
	if w.options.Nodes = drawNodes(streams.Named("nodes")); c.Nodes > 0 {
		w.options.Nodes = c.Nodes
	}
	w.scheduler = NewScheduler(streams.Named("scheduler"), w.trace)
	w.trace.now, w.plan.now = w.scheduler.Now, w.scheduler.Now
	w.options.Faults = c.Choice.Faults
	w.options.Damage, w.options.Weather = drawDamage(streams.Named("damage")), drawWeather(streams.Named("weather"))
	if c.calm {
		w.options.calm()
	}
	w.ledger, w.atlas = newLedger(w), newAtlas(w)
	w.cluster = newCluster(w)
	w.scheduler.after = w.cluster.afterStep
	w.surveyor = newSurveyor(w)
	return w
}

// live runs all phases, as far as no promise is broken.
func (w *World) live(length time.Duration) {
	w.trace.event("run", "setup", "%+v", w.options)
	if w.options.RoughBirth {
		w.trouble = true
		w.cluster.Trouble()
		w.cluster.any().crashWithin(200 * time.Millisecond)
	}
	w.cluster.Start()
	admin := w.setUp()
	if !w.reach("setup", func() bool { return len(w.topics) == w.options.Topics }) {
		return
	}
	w.trace.event("run", "load", "for %v", length)
	w.load, w.loaded = true, w.scheduler.Now()
	w.startClients(admin)
	if !w.trouble {
		w.trouble = true
		w.cluster.Trouble()
	}
	w.scheduler.Run(w.scheduler.Now()+length, w.over)
	w.rest(admin)
}

// rest ends load and faults, and demands that everything comes to rest and keeps what it promised.
func (w *World) rest(admin *Admin) {
	w.load, w.trouble, w.healed = false, false, w.scheduler.Now()
	w.trace.event("run", "rest", "no more faults")
	w.cluster.Heal()
	if !w.reach("rest", w.settled) {
		return
	}
	if w.several() && chance(w.cluster.random, 40) {
		w.scheduler.Run(w.healed+settleTime, w.over) // until the voters of every partition are known for sure
		w.cluster.dark()
	}
	w.trace.event("run", "write", "to every partition")
	probe := newProducer(w, len(w.producers), producingIdempotent)
	w.producers = append(w.producers, probe)
	probe.Probe()
	if !w.reach("write", func() bool { return probe.probed && probe.settled() }) {
		return
	}
	w.trace.event("run", "read", "everything, from the start")
	reader := newConsumer(w, len(w.consumers))
	reader.ReadAll()
	admin.Check()
	if !w.reach("read", func() bool { return admin.checked && reader.settled() }) {
		return
	}
	w.violate(w.judge(true))
}

func (w *World) judge(complete bool) *Violation {
	o := NewOracle(&w.history, w.deleted)
	o.harmed = w.atlas.excuses()
	return o.Judge(complete)
}

func (w *World) over() bool { return w.broken != nil }

// reach runs until something is so. It must become so: without faults, and with those of a rough birth, which leave the
// broker time enough to be founded.
func (w *World) reach(phase string, settled func() bool) bool {
	w.scheduler.Run(w.scheduler.Now()+patienceAtRest, func() bool { return w.over() || settled() })
	if !w.over() && !settled() {
		// What went wrong before may be why.
		w.violate(w.judge(false))
		w.violate(violation("not-live", "phase %q is not over %v after it began, %s: %s", phase, patienceAtRest, w.recently(), w.describe()))
	}
	return !w.over()
}

// describe says for a report what the brokers are doing, and what clients wait for.
func (w *World) describe() string {
	s := w.cluster.describe()
	for _, p := range w.producers {
		for _, st := range p.streams {
			for _, b := range st.window {
				s += fmt.Sprintf("; %s sequence %d of %v has %d tries", p.client.name, b.Sequence, b.Partition, b.Tries)
			}
		}
	}
	return s
}

// recently says what stood in the way of a phase.
func (w *World) recently() string {
	if w.trouble {
		return "with faults from the first moment"
	}
	return "without any fault since"
}

func (w *World) setUp() *Admin {
	admin := newAdmin(w)
	draw := w.streams.Named("topics")
	for i := range w.options.Topics {
		admin.create("steady-"+strconv.Itoa(i), int32(between(draw, 1, w.options.Partitions)), func(*Topic) {})
	}
	return admin
}

func (w *World) startClients(admin *Admin) {
	draw := w.streams.Named("clients")
	for i := range w.options.Producers {
		kind := producingIdempotent
		if i > 0 {
			kind = producing(draw.IntN(int(producingKinds)))
		}
		w.producers = append(w.producers, newProducer(w, i, kind))
		w.producers[i].Start()
	}
	for i := range w.options.Consumers {
		w.consumers = append(w.consumers, newConsumer(w, i))
		w.consumers[i].Start()
	}
	newTrimmer(w).Start()
	admin.Start()
}

// settled tells that the broker is up and nothing of the load is unanswered.
func (w *World) settled() bool {
	for _, p := range w.producers {
		if !p.settled() {
			return false
		}
	}
	return w.cluster.Up()
}

func (w *World) report(c Config) *Report {
	r := &Report{
		Seed: c.Seed, RealDisk: c.RealDisk, Options: w.options, Length: c.Length, Simulated: w.scheduler.Now(), Steps: w.trace.steps,
		Sends: len(w.history.Sends), Polls: len(w.history.Polls), Faults: w.plan.Faults, Marks: w.marks,
		Hash: fmt.Sprintf("%016x", w.trace.Hash()), Violation: w.broken,
		Choice: c.Choice, Struck: w.plan.struck(), Done: w.plan.done(), Loaded: w.loaded, strikes: w.plan.strikes,
	}
	for _, s := range w.history.Sends {
		r.Records += len(s.Values)
		switch s.Outcome {
		case OutcomeAcknowledged:
			r.Acked++
		case OutcomeUnknown:
			r.Unknown++
		}
	}
	return r
}
