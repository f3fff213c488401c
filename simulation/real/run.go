package real

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"troupe/gateway/client"
	"troupe/partitions/id"
	"troupe/simulation"
)

// Config says what to run.
type Config struct {
	Seed   uint64
	Length time.Duration // under load and faults; of each calm of a growth
	// Binary is the broker's program.
	Binary string
	// Loopback keeps all brokers on loopback, where links cannot be cut, even if namespaces are permitted.
	Loopback bool
	// Trace takes a line for each thing that is done; nil: nobody looks.
	Trace io.Writer
}

const (
	// brokers is how many there are to begin with, and how many replicas a partition has.
	brokers = 3
	// mostRecords bounds what is written, and with it memory and disks.
	mostRecords = 400_000
	// diskSize is that of a broker's file system, where one can be made; reserve is what the broker keeps free of it.
	diskSize = "256m"
	reserve  = "8MiB"
	// settlePatience bounds every wait for the cluster to be whole, or to answer everything.
	settlePatience = time.Minute
)

// shape is how large a run is.
type shape struct {
	places     int     // for brokers in the network
	partitions int32   // of the topic
	rate       float64 // records a second
	filling    int     // at most, of bytes that a value carries beside its number
}

// run is one run.
type run struct {
	config    Config
	shape     shape
	directory string
	network   *network
	arguments []string // of every start of every broker
	chronicle *chronicle
	random    *rand.Rand
	mounted   []string
	report    *Report
	load      *workload
	spoken    sync.Mutex // of the trace

	mu      sync.Mutex // held to change what follows, and to read it beside who changes it
	brokers []*broker  // those that are members
	retired []*broker  // those that were, and are let go for ever
}

// Run runs brokers under load and faults for a while, heals them, reads everything and judges. An error means that it could not
// run; what it found is in the report. When the context ends it stops early and judges what there is.
func Run(ctx context.Context, c Config) (*Report, error) {
	const mostRate = 400.0
	// One place more, for a copy of a broker.
	s := shape{places: brokers + 1, partitions: 6, rate: min(mostRate, mostRecords/c.Length.Seconds()), filling: 200}
	return c.run(ctx, s, (*run).harm)
}

// run runs brokers under load, has happens do something to them, heals, reads and judges.
func (c Config) run(ctx context.Context, s shape, happens func(*run, context.Context)) (*Report, error) {
	directory, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", directoryPrefix, os.Getpid()))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &run{
		config: c, shape: s, directory: directory, random: rand.New(rand.NewPCG(c.Seed, 0)), chronicle: newChronicle(cancel),
		report: &Report{Seed: c.Seed, Length: c.Length, Faults: map[string]int{}, Skipped: map[string]string{}},
	}
	defer r.clean()
	sweepNetworks()
	sweepDisks()
	if err := r.begin(ctx); err != nil {
		return nil, fmt.Errorf("the cluster does not begin: %w", err)
	}
	r.live(ctx, happens)
	r.end(ctx)
	if err := r.keep(); err != nil {
		r.report.Kept = fmt.Sprintf("%s (not all: %v)", r.directory, err)
	}
	return r.report, nil
}

// directoryPrefix and a process id begin the name of a run's directory.
const directoryPrefix = "troupe-torture-"

// sweepDisks takes away what runs that were killed have left of their disks.
func sweepDisks() {
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), directoryPrefix+"*"))
	for _, directory := range left {
		var pid int
		if n, _ := fmt.Sscanf(filepath.Base(directory), directoryPrefix+"%d-", &pid); n != 1 || running(pid) {
			continue
		}
		if _, err := os.Stat(filepath.Join(directory, historyName)); err == nil {
			continue // it was kept on purpose
		}
		mounts, _ := filepath.Glob(filepath.Join(directory, "*"))
		for _, path := range mounts {
			_ = unmountMemory(path) // most were never mounted
		}
		_ = os.RemoveAll(directory)
	}
}

// running tells whether a process is there.
func running(pid int) bool { return syscall.Kill(pid, 0) != syscall.ESRCH }

// say traces one thing.
func (r *run) say(who, format string, arguments ...any) {
	if r.config.Trace == nil {
		return
	}
	r.spoken.Lock()
	defer r.spoken.Unlock()
	fmt.Fprintf(r.config.Trace, "%7.1f s  %-10s %s\n", r.chronicle.now().Seconds(), who, fmt.Sprintf(format, arguments...))
}

// begin builds the network and the disks, and starts the brokers and a topic.
func (r *run) begin(ctx context.Context) error {
	r.network = openNetwork(r.shape.places, !r.config.Loopback)
	if !r.network.namespaces {
		r.report.Skipped["cut"] = "no network namespaces: " + r.network.why
	}
	if err := r.secure(); err != nil {
		return err
	}
	for i := range brokers {
		b, err := r.broker(i, fmt.Sprintf("broker-%d", i+1))
		if err != nil {
			return err
		}
		r.brokers = append(r.brokers, b)
	}
	err := atOnce(r.brokers, func(b *broker) error {
		return b.start(ctx, "--join", r.seeds(nil), "--bootstrap-expect", fmt.Sprint(brokers))
	})
	if err != nil {
		return err
	}
	return r.create(ctx)
}

// broker plans a broker at a place in the network.
func (r *run) broker(place int, name string) (*broker, error) {
	b := &broker{
		name: name, site: r.network.site(place), directory: filepath.Join(r.directory, name), log: filepath.Join(r.directory, name+".log"),
		binary: r.config.Binary, arguments: r.arguments,
	}
	var err error
	if b.gateway, b.peer, b.gossip, err = b.site.addresses(0); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(b.directory, 0o755); err != nil {
		return nil, err
	}
	if err := mountMemory(b.directory, diskSize); err == nil {
		r.mounted = append(r.mounted, b.directory)
	} else {
		r.report.Skipped["full disk"] = "no file system can be mounted: " + err.Error()
	}
	return b, nil
}

// secure gives brokers that are not on loopback the secret without which they would refuse to be there.
func (r *run) secure() error {
	if !r.network.namespaces {
		return nil
	}
	secret, err := exec.Command(r.config.Binary, "secret", "new").Output()
	if err != nil {
		return err
	}
	file := filepath.Join(r.directory, "secret")
	if err := os.WriteFile(file, secret, 0o600); err != nil {
		return err
	}
	r.arguments = []string{"--insecure", "--secret-file", file}
	return nil
}

// seeds lists where brokers gossip, but for one of them.
func (r *run) seeds(but *broker) string {
	var all []string
	for _, b := range r.brokers {
		if b != but {
			all = append(all, b.gossip)
		}
	}
	return strings.Join(all, ",")
}

func (r *run) gateways() []string {
	var all []string
	for _, b := range r.brokers {
		all = append(all, b.gateway)
	}
	return all
}

// create makes the topic, and returns when the cluster is whole.
func (r *run) create(ctx context.Context) error {
	c, err := r.client()
	if err != nil {
		return err
	}
	defer c.Close()
	if err := r.awaitWhole(ctx); err != nil {
		return err
	}
	made, err := c.CreateTopic(ctx, topicName, r.shape.partitions, map[string]string{"replicas": fmt.Sprint(brokers)})
	if err != nil {
		return err
	}
	r.chronicle.topic = made.TopicID
	return r.awaitWhole(ctx)
}

// client is one that knows all brokers.
func (r *run) client() (*client.Client, error) {
	return client.New(client.WithBroker(r.gateways()...), client.WithClientName("torture"), client.WithRequestTimeout(5*time.Second))
}

// live is the time under load, and under what happens meanwhile.
func (r *run) live(ctx context.Context, happens func(*run, context.Context)) {
	r.load = &workload{
		shape: r.shape, chronicle: r.chronicle, gateways: r.gateways(), seed: r.config.Seed,
	}
	r.load.start(context.WithoutCancel(ctx))
	watching, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { r.watch(watching) })
	happens(r, ctx)
	stop()
	watch.Wait()
}

// watch looks whether every broker that is meant to run does.
func (r *run) watch(ctx context.Context) {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		for _, b := range r.members() {
			if b.died() {
				r.chronicle.violate("died", b.name+" ended by itself; its last words: "+b.lastWords())
				return
			}
		}
	}
}

// clean ends all processes, and takes away what was mounted and linked.
func (r *run) clean() {
	if r.load != nil {
		r.load.rest()
		r.load.producing.Wait()
		r.load.reading.Wait()
	}
	for _, b := range slices.Concat(r.brokers, r.retired) {
		b.kill()
	}
	for _, path := range r.mounted {
		_ = unmountMemory(path)
	}
	r.network.close(r.shape.places)
	if r.report.Kept == "" {
		_ = os.RemoveAll(r.directory)
	}
}

// keep saves what a run that failed has seen, and says where.
func (r *run) keep() error {
	if r.report.Violation == nil {
		return nil
	}
	r.report.Kept = r.directory
	for _, path := range r.mounted { // what is in memory would be gone
		if err := os.CopyFS(path+"-data", os.DirFS(path)); err != nil {
			return err
		}
	}
	return writeHistory(filepath.Join(r.directory, historyName), &r.chronicle.history)
}

// nodes lists the brokers' ids.
func (r *run) nodes() []id.Node {
	var all []id.Node
	for _, b := range r.brokers {
		b.mu.Lock()
		all = append(all, b.node)
		b.mu.Unlock()
	}
	slices.Sort(all)
	return all
}

// judged is what the oracle says of a history.
func judged(h *simulation.History, complete bool) *simulation.Violation {
	return simulation.NewOracle(h, nil).Anomaly(complete)
}
