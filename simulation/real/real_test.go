package real

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/partitions/id"
	"troupe/simulation"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestRun tortures real brokers for some seconds, on loopback, so that it needs no rights. `make torture` is the long form.
func TestRun(t *testing.T) {
	report, printed := tried(t, Run, 5*time.Second)
	happened := 0
	for _, n := range report.Faults {
		happened += n
	}
	if happened == 0 || report.Lists == 0 {
		t.Errorf("too little happened: %+v", report)
	}
	if !strings.Contains(printed, "skipped    cut: no network namespaces: not wanted") {
		t.Error("what could not be done is not named")
	}
}

// tried runs real brokers for some time, and demands that every promise is kept and that nothing is left of it.
func tried(t *testing.T, run func(context.Context, Config) (*Report, error), length time.Duration) (r *Report, printed string) {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds the broker and runs several of it")
	}
	binary := filepath.Join(t.TempDir(), "troupe")
	if said, err := exec.Command("go", "build", "-o", binary, "troupe/cmd/troupe").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	var out bytes.Buffer
	r, err := run(t.Context(), Config{Seed: 4, Length: length, Binary: binary, Loopback: true, Trace: &out})
	if err != nil {
		t.Fatal(err)
	}
	r.Print(&out)
	t.Log(out.String())
	if r.Violation != nil {
		t.Fatal(r.Violation)
	}
	if r.Acknowledged == 0 || r.Read < r.Acknowledged {
		t.Errorf("too little happened: %+v", r)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), fmt.Sprintf("%s%d-*", directoryPrefix, os.Getpid()))); len(left) > 0 {
		t.Errorf("it leaves %v", left)
	}
	return r, out.String()
}

// TestGrow has a cluster grow and shrink, quickly. `make growth` is the long form.
func TestGrow(t *testing.T) {
	r, _ := tried(t, Grow, time.Second)
	var names []string
	for _, s := range r.Stages {
		names = append(names, s.Name)
		if s.Acknowledged == 0 {
			t.Errorf("%s: nothing was acknowledged", s.Name)
		}
	}
	if diff := cmp.Diff([]string{"3 brokers", "3 to 5", "5 brokers", "5 to 3", "3 again"}, names); diff != "" {
		t.Fatal(diff)
	}
	if five, three := r.Stages[1].Shares, r.Stages[3].Shares; len(five) != 5 || len(three) != 3 {
		t.Errorf("%d brokers shared, then %d", len(five), len(three))
	}
}

// TestShares compares brokers with an even share of all, leaving brokers' included.
func TestShares(t *testing.T) {
	cluster := &protocol.DescribeClusterResponse{Nodes: []protocol.ClusterNode{
		{Node: 1, Replicas: 12, Leaders: 3}, {Node: 2, Replicas: 6, Leaders: 5}, {Node: 3, Replicas: 2},
	}}
	want := []Share{{1, 12, 3, 0.2, -0.25}, {2, 6, 5, -0.4, 0.25}}
	near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })
	if diff := cmp.Diff(want, sharesOf(cluster, []id.Node{1, 2}), near); diff != "" {
		t.Error(diff)
	}
}

// TestStageIsWeighed counts what was sent within a stage, wherever it ended.
func TestStageIsWeighed(t *testing.T) {
	h := &simulation.History{Sends: []*simulation.Send{
		{Invoked: 1, Completed: 9, Outcome: simulation.OutcomeAcknowledged}, // before
		{Invoked: 2 * time.Second, Completed: 3 * time.Second, Outcome: simulation.OutcomeAcknowledged},
		{Invoked: 3 * time.Second, Completed: 9 * time.Second, Outcome: simulation.OutcomeAcknowledged},
		{Invoked: 3 * time.Second, Outcome: simulation.OutcomeFailed},
		{Invoked: 3 * time.Second, Outcome: simulation.OutcomeUnknown},
		{Invoked: 4 * time.Second, Completed: 5 * time.Second, Outcome: simulation.OutcomeAcknowledged}, // after
	}}
	s := Stage{from: 2 * time.Second, to: 4 * time.Second}
	s.weigh(h)
	want := Stage{Took: 2 * time.Second, Acknowledged: 2, Failed: 1, Unknown: 1, Rate: 1, Median: time.Second, P99: 6 * time.Second, Worst: 6 * time.Second}
	if diff := cmp.Diff(want, s, cmpopts.IgnoreUnexported(Stage{})); diff != "" {
		t.Error(diff)
	}
}

// TestOutcomes holds what is believed of an error to what the client library's errors promise.
func TestOutcomes(t *testing.T) {
	refusal := func(c protocol.Code) error {
		return &client.Error{Action: "produce", Cause: protocol.NewError(c, "because")}
	}
	for _, test := range []struct {
		err  error
		want simulation.Outcome
	}{
		{nil, simulation.OutcomeAcknowledged},
		{refusal(protocol.CodeDuplicate), simulation.OutcomeAcknowledged},
		{refusal(protocol.CodeOutcomeUnknown), simulation.OutcomeUnknown},
		{refusal(protocol.CodeNotLeader), simulation.OutcomeFailed},
		{fmt.Errorf("%w: %w", client.ErrDeliveryTimeout, refusal(protocol.CodeNotReady)), simulation.OutcomeFailed},
		{client.ErrClosed, simulation.OutcomeFailed},
		{errors.New("something else"), simulation.OutcomeUnknown},
	} {
		if got := outcomeOf(test.err); got != test.want {
			t.Errorf("%v: %v, want %v", test.err, got, test.want)
		}
	}
}

// TestHistoryIsJudged writes down what a lost and a doubled record look like to clients, and has the oracle see it.
func TestHistoryIsJudged(t *testing.T) {
	at := func(number int32, records ...client.Record) *client.Fetched {
		return &client.Fetched{Topic: topicName, Partition: number, Records: records, HighWatermark: 9}
	}
	for _, test := range []struct {
		name string
		seen func(first, second *simulation.Send) *client.Fetched
		want string
	}{
		{"all there", func(a, b *simulation.Send) *client.Fetched { return at(0, holding(0, a), holding(1, b)) }, ""},
		{"one is lost", func(a, _ *simulation.Send) *client.Fetched { return at(0, holding(0, a)) }, "unseen"},
		{"one is there twice", func(a, b *simulation.Send) *client.Fetched {
			return at(0, holding(0, a), holding(1, b), holding(2, a))
		}, "duplicate"},
		{"one is elsewhere", func(a, b *simulation.Send) *client.Fetched { return at(1, holding(0, a), holding(1, b)) }, "misplaced"},
		{"another's place", func(a, b *simulation.Send) *client.Fetched { return at(0, holding(0, b), holding(1, a)) }, "inconsistent-offsets"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newChronicle(func() {})
			first, second := c.send(1, 0, 0), c.send(1, 0, 1)
			c.settle(first, 0, nil)
			c.settle(second, 1, nil)
			c.poll(2, c.now(), 0, test.seen(first, second))
			got := ""
			if v := judged(&c.history, true); v != nil {
				got = v.Invariant
			}
			if got != test.want {
				t.Errorf("judged %q, want %q", got, test.want)
			}
		})
	}
}

// holding is a record as it is read, with a send's value.
func holding(offset id.Offset, s *simulation.Send) client.Record {
	return client.Record{Offset: offset, Value: s.Values[0].Encode(3)}
}

// TestWrongBytesAreSeen reads something that nobody wrote.
func TestWrongBytesAreSeen(t *testing.T) {
	violated := false
	c := newChronicle(func() { violated = true })
	record := holding(0, c.send(1, 0, 0))
	record.Value[9] ^= 1
	c.poll(2, c.now(), 0, &client.Fetched{Records: []client.Record{record}, HighWatermark: 1})
	if !violated || c.broken.Invariant != "damage-served" {
		t.Errorf("seen: %v", c.broken)
	}
}

// TestFailoverIsMeasured counts only what was sent after the fall, of what the fallen led.
func TestFailoverIsMeasured(t *testing.T) {
	c := newChronicle(func() {})
	before := c.send(1, 0, 0)
	c.falls("kill", []int32{0, 1})
	for _, s := range []*simulation.Send{before, c.send(1, 2, 0), c.send(1, 0, 1)} {
		c.settle(s, 0, nil)
	}
	if len(c.failovers) > 0 {
		t.Fatal("partition 1 has acknowledged nothing yet")
	}
	c.settle(c.send(1, 1, 0), 0, nil)
	if got := len(c.failovers["kill"]); got != 1 || c.fall != nil {
		t.Errorf("%d fail-overs measured", got)
	}
}

func TestFlipByte(t *testing.T) {
	path := filepath.Join(t.TempDir(), "segment")
	if err := os.WriteFile(path, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := flipByte(path, 1, 1<<5); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if diff := cmp.Diff("aBc", string(got)); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// TestDifferentReplicas compares what brokers have on disk.
func TestDifferentReplicas(t *testing.T) {
	one := &holdings{0: {0: {index: 3, term: 1, sum: 7, next: 2}, 2: {index: 4, term: 2, sum: 8, next: 3}}}
	for _, test := range []struct {
		other *holdings
		same  bool
	}{
		{&holdings{0: {0: {3, 1, 7, 2}, 2: {4, 2, 8, 3}}}, true},
		{&holdings{0: {2: {4, 2, 8, 3}}}, true}, // it began with a snapshot
		{&holdings{0: {0: {3, 1, 7, 2}, 2: {4, 2, 9, 3}}}, false},
		{&holdings{0: {0: {3, 2, 7, 2}}}, false},
	} {
		if err := differ(one, test.other); (err == nil) != test.same {
			t.Errorf("%v: %v", test.other, err)
		}
	}
}
