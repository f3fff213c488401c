package architecture

import "strings"

// room is one row of the house: what a folder and the folders below it may import. The longest folder that holds a file
// decides; within one row everything may import everything that the compiler permits.
type room struct {
	folder string
	// rooms are the folders of this module that it may import, beside its own.
	rooms []string
	// doors are the third-party import paths (with everything below them) that open here, and nowhere else by accident.
	doors []string
	// tests are rooms and doors that its _test.go files may use in addition.
	tests []string
	// banned are packages of the standard library (with everything below them) that it may not import.
	banned []string
	// exempt are files of the room, by path, to which banned and the room's statement rules do not apply.
	exempt []string
	// clockless rooms read no clock and set no timer; sequential ones start no goroutine and select on no channel.
	clockless, sequential bool
	// ordered rooms range over a map only beside a comment that says why the order cannot be seen.
	ordered bool
}

const (
	raft       = "go.etcd.io/raft/v3"
	protoactor = "github.com/asynkron/protoactor-go"
)

var everyRoom = []string{
	"partitions", "partitions/id", "partitions/batch", "partitions/catalog", "wal", "membership", "actors",
	"gateway", "gateway/protocol", "gateway/client", "gateway/troupetest",
}

var house = []room{
	{folder: "partitions", rooms: []string{"partitions/id", "partitions/batch"}, doors: []string{raft, "google.golang.org/protobuf/proto"},
		banned:    []string{"os", "net", "sync", "math/rand", "crypto/rand"},
		clockless: true, sequential: true, ordered: true},
	{folder: "partitions/id", banned: []string{"os", "net", "sync", "crypto/rand"},
		clockless: true, sequential: true, ordered: true},
	{folder: "partitions/batch", rooms: []string{"partitions/id"},
		doors:     []string{"github.com/twmb/franz-go/pkg/kmsg", "github.com/klauspost/compress", "github.com/pierrec/lz4/v4"},
		banned:    []string{"os", "net", "math/rand", "crypto/rand"},
		clockless: true, sequential: true, ordered: true},
	{folder: "partitions/catalog", rooms: []string{"partitions", "partitions/id", "partitions/batch"},
		banned:    []string{"os", "net", "sync", "math/rand", "crypto/rand"},
		clockless: true, sequential: true, ordered: true},
	{folder: "wal", rooms: []string{"partitions", "partitions/id", "partitions/batch"},
		doors: []string{"github.com/tidwall/wal", "golang.org/x/sys/unix"}, banned: []string{"net", "crypto/rand"},
		clockless: true, sequential: true},
	{folder: "membership", rooms: []string{"partitions/id"}, doors: []string{"github.com/hashicorp/serf", "github.com/hashicorp/memberlist", "github.com/cespare/xxhash/v2"}},
	{folder: "actors",
		rooms: []string{"partitions", "partitions/id", "partitions/batch", "partitions/catalog", "membership"},
		doors: []string{protoactor}, banned: []string{"os", "net", "math/rand", "crypto/rand"},
		exempt: []string{"actors/world.go"}, clockless: true, sequential: true},
	// Real sockets, clocks and goroutines, hence no part of what a simulation replaces: only cmd joins it to actors.
	{folder: "actors/remote", rooms: []string{"partitions/id"},
		doors: []string{protoactor, "google.golang.org/grpc", "google.golang.org/protobuf"}},
	{folder: "gateway",
		rooms: []string{"partitions", "partitions/id", "partitions/batch", "partitions/catalog", "gateway/protocol"}},
	{folder: "gateway/protocol", rooms: []string{"partitions/id", "partitions/batch"},
		doors: []string{"github.com/vmihailenco/msgpack/v5"}, banned: []string{"os", "net"}},
	{folder: "gateway/client", rooms: []string{"gateway/protocol", "partitions/id", "partitions/batch"},
		tests: []string{"gateway/troupetest"}},
	{folder: "gateway/troupetest", rooms: everyRoom},
	{folder: "simulation", rooms: everyRoom,
		doors:  []string{protoactor + "/actor", protoactor + "/mailbox", "github.com/anishathalye/porcupine"},
		banned: []string{"net"}, clockless: true, sequential: true},
	{folder: "simulation/real", rooms: append([]string{"simulation"}, everyRoom...)},
	{folder: "cmd/troupe", rooms: append([]string{"cmd/troupe/config", "actors/remote"}, everyRoom...),
		doors: []string{"github.com/spf13/cobra", "github.com/spf13/pflag", "github.com/dustin/go-humanize", "golang.org/x/term",
			"github.com/HdrHistogram/hdrhistogram-go", "github.com/prometheus/client_golang/prometheus"}},
	{folder: "cmd/troupe/config", rooms: []string{"gateway", "partitions/catalog"},
		doors: []string{"go.yaml.in/yaml/v3", "github.com/dustin/go-humanize"}, banned: []string{"os/exec", "net/http"}},
	{folder: "cmd/troupe-sim", rooms: append([]string{"simulation", "simulation/real"}, everyRoom...), doors: []string{"github.com/spf13/cobra"}},
	// A module of its own, so that its doors open for nobody else.
	{folder: "cmd/peers", rooms: []string{"cmd/troupe"},
		doors: []string{"github.com/nats-io/nats.go", "github.com/HdrHistogram/hdrhistogram-go"}},
	{folder: "cmd/architecture", banned: []string{"net"}},
}

// testDoors are open to every _test.go.
var testDoors = []string{"github.com/google/go-cmp", "github.com/cockroachdb/datadriven"}

// topLevel lists what the repository's root may hold.
var topLevel = []string{
	".ci", ".gitignore", "Makefile", "README.md", "go.mod", "go.sum",
	"actors", "cmd", "gateway", "membership", "partitions", "simulation", "wal",
}

// notOurs lists what tools leave at the root; .gitignore keeps it out of the repository.
var notOurs = []string{".git", "bin", "troupe-data"}

// refusedWords say nothing about what a file or package holds.
var refusedWords = []string{
	"util", "utils", "common", "helper", "helpers", "manager", "types", "impl", "misc", "v2", "new", "old", "fix", "stuff",
}

// roomOf returns the row for a folder of the module, or nil.
func roomOf(folder string) *room {
	var best *room
	for i := range house {
		r := &house[i]
		if within(folder, r.folder) && (best == nil || len(r.folder) > len(best.folder)) {
			best = r
		}
	}
	return best
}

// within tells whether path is parent or lies below it.
func within(path, parent string) bool {
	return path == parent || strings.HasPrefix(path, parent+"/")
}

// anyWithin tells whether path is, or lies below, one of parents.
func anyWithin(path string, parents []string) bool {
	for _, parent := range parents {
		if within(path, parent) {
			return true
		}
	}
	return false
}
