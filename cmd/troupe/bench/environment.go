package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Environment is what figures depend on beside the program. What a system does not tell is empty.
type Environment struct {
	CPU         string `json:"cpu"`
	Cores       int    `json:"cores"` // that this process may use
	Kernel      string `json:"kernel"`
	OS          string `json:"os"`
	Go          string `json:"go"`
	MemoryBytes int64  `json:"memory_bytes"`
	// FilesystemOf is the directory whose file system Filesystem is: the broker's data if that is on this machine.
	FilesystemOf string  `json:"filesystem_of,omitempty"`
	Filesystem   string  `json:"filesystem,omitempty"`
	Fsync        *Probe  `json:"fsync,omitempty"`
	LoadAverage  float64 `json:"load_average_1m"` // before the run: others on the machine
}

// Probe is the measured latency of appending to a file and fsyncing it, again and again, each time as much as a log writes for one
// record of 100 bytes with its batch and frame. The file grows, as a log does: writing over what is there would be faster by a third,
// because nothing of the file but its data has to become durable then.
type Probe struct {
	Directory string  `json:"directory"`
	Writes    int     `json:"writes"`
	MedianMS  float64 `json:"median_ms"`
	P99MS     float64 `json:"p99_ms"`
}

// Observe looks at this machine. data is the broker's data directory, or empty.
func Observe(data string) Environment {
	e := Environment{Cores: runtime.GOMAXPROCS(0), OS: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version()}
	e.CPU = field("/proc/cpuinfo", "model name")
	e.Kernel = strings.TrimSpace(string(readSome("/proc/sys/kernel/osrelease")))
	var kilobytes int64
	if _, err := fmt.Sscan(field("/proc/meminfo", "MemTotal"), &kilobytes); err == nil {
		e.MemoryBytes = kilobytes << 10
	}
	_, _ = fmt.Sscan(string(readSome("/proc/loadavg")), &e.LoadAverage) // stays 0 where nothing is told
	if data != "" {
		if path, err := filepath.Abs(data); err == nil {
			e.FilesystemOf, e.Filesystem = data, filesystem(string(readSome("/proc/mounts")), path)
		}
	}
	return e
}

// readSome reads a small file; nothing if it cannot be read.
func readSome(name string) []byte {
	f, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	text, _ := io.ReadAll(io.LimitReader(f, 1<<20))
	return text
}

// field finds "name : value" in a file of such lines.
func field(file, name string) string {
	lines := bufio.NewScanner(bytes.NewReader(readSome(file)))
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// filesystem finds the type of the file system that holds a path, in the format of /proc/mounts (fstab(5)): the mount point
// that is the longest prefix counts, and of equal ones the last, which covers the others.
func filesystem(mounts, path string) string {
	best, kind := -1, ""
	for line := range strings.Lines(mounts) {
		words := strings.Fields(line)
		if len(words) < 3 {
			continue
		}
		point := strings.ReplaceAll(words[1], `\040`, " ")
		inside := path == point || strings.HasPrefix(path, strings.TrimSuffix(point, "/")+"/")
		if inside && len(point) >= best {
			best, kind = len(point), words[2]
		}
	}
	return kind
}

// The probe writes as often as gives a steady median, and ends early on a slow disk.
const (
	probeWrites = 1000
	probeTime   = 3 * time.Second
	probeBytes  = 256
)

// ProbeFsync measures fsync in a directory. The error says why it could not.
func ProbeFsync(directory string) (*Probe, error) {
	f, err := os.CreateTemp(directory, "fsync-probe-*")
	if err != nil {
		return nil, fmt.Errorf("measure fsync: %w", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	block := make([]byte, probeBytes)
	var took []time.Duration
	for began := time.Now(); len(took) < probeWrites && (len(took) == 0 || time.Since(began) < probeTime); {
		start := time.Now()
		if _, err := f.Write(block); err != nil {
			return nil, fmt.Errorf("measure fsync: %w", err)
		}
		if err := f.Sync(); err != nil {
			return nil, fmt.Errorf("measure fsync: %w", err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	at := func(q float64) float64 {
		return float64(took[int(q*float64(len(took)-1))]) / float64(time.Millisecond)
	}
	return &Probe{Directory: filepath.Dir(f.Name()), Writes: len(took), MedianMS: at(0.5), P99MS: at(0.99)}, nil
}
