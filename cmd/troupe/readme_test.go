package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// step is one command that the README shows, with the output it shows for it.
type step struct {
	command string
	output  []string
}

// TestReadme executes the README's console blocks word for word, in order, in one empty directory, the two make commands
// excepted, and compares what they print with what the README shows: loosely, since numbers and times differ from run to
// run and partitions are read in any order.
func TestReadme(t *testing.T) {
	steps := readmeSteps(t)
	if len(steps) < 4 {
		t.Fatalf("the README shows %d commands, its quick start alone has 4", len(steps))
	}
	directory := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(directory, "troupe")); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	environment := append(os.Environ(), "PATH="+directory+":"+os.Getenv("PATH"), "TROUPE_BROKER="+address, "TROUPE_GATEWAY_ADDRESS="+address)
	for _, s := range steps {
		t.Log(s.command)
		if strings.HasPrefix(s.command, "troupe serve") {
			serveInBackground(t, directory, environment, s.command)
			continue
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		command := exec.CommandContext(ctx, "sh", "-c", s.command)
		command.Dir, command.Env = directory, environment
		printed, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", s.command, err, printed)
		}
		want, got := loosely(s.output), loosely(strings.Split(string(printed), "\n"))
		for _, line := range want {
			if !slices.Contains(got, line) {
				t.Errorf("%s\nthe README shows, somewhere in the output:\n%s\nbut it printed:\n%s", s.command, line, printed)
			}
		}
	}
}

// readmeSteps reads the commands of the README's console blocks.
func readmeSteps(t *testing.T) []step {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var steps []step
	inside := false
	for _, line := range strings.Split(string(text), "\n") {
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```console"
		case !inside:
		case isCommand:
			steps = append(steps, step{command: command})
		case len(steps) > 0:
			steps[len(steps)-1].output = append(steps[len(steps)-1].output, line)
		}
	}
	return slices.DeleteFunc(steps, func(s step) bool { return strings.HasPrefix(s.command, "make ") })
}

var (
	digits = regexp.MustCompile(`[0-9a-f]{16}|[0-9]+([.,][0-9]+)*`)
	units  = regexp.MustCompile(`0 ?(B|KiB|MiB|µs|ms|s|m)\b`)
	spaces = regexp.MustCompile(`\s+`)
)

// loosely returns lines without what differs from run to run: numbers, units, spacing, empty lines, and elisions.
func loosely(lines []string) []string {
	var kept []string
	for _, line := range lines {
		line = units.ReplaceAllString(digits.ReplaceAllString(line, "0"), "0")
		line = strings.TrimSpace(spaces.ReplaceAllString(line, " "))
		if line != "" && !strings.Contains(line, "…") {
			kept = append(kept, line)
		}
	}
	return kept
}

// serveInBackground runs the README's serve command until the test ends, and returns when the broker answers.
func serveInBackground(t *testing.T, directory string, environment []string, line string) {
	t.Helper()
	command := exec.Command("sh", "-c", "exec "+line)
	command.Dir, command.Env = directory, environment
	problems, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan readyEvent, 1)
	ended := make(chan []byte, 1)
	go func() { ended <- follow(problems, t.Output(), ready) }()
	t.Cleanup(func() {
		_ = command.Process.Signal(os.Interrupt)
		<-ended
		if err := command.Wait(); err != nil {
			t.Errorf("%s, interrupted: %v", line, err)
		}
	})
	select {
	case <-ready:
	case last := <-ended:
		ended <- last
		t.Fatalf("%s ended: %s", line, last)
	}
}

// TestReadmePaths finds files that the README points to and that are not there.
func TestReadmePaths(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	pointers := regexp.MustCompile("\\]\\(([a-zA-Z][^):]*)\\)|`([a-z]+(?:/[a-z_]+)+\\.go)`").FindAllStringSubmatch(string(text), -1)
	if len(pointers) < 10 {
		t.Fatalf("found only %d pointers", len(pointers))
	}
	for _, p := range pointers {
		if _, err := os.Stat(filepath.Join("../..", p[1]+p[2])); err != nil {
			t.Errorf("the README points to %s: %v", p[1]+p[2], err)
		}
	}
}
