package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"

	"troupe/simulation"
)

// worker is a process of this program that runs one seed at a time: raft's randomness is a global variable, so a process has
// room for one simulation. It reads a job a line, and answers with a result a line, both as JSON.
type worker struct {
	process *exec.Cmd
	jobs    io.WriteCloser
	results *json.Decoder
}

// workerFlag makes this program such a process. It is no flag for people.
const workerFlag = "worker"

// job is one run, and the processes that answer with its result.
type job struct {
	Seed   uint64
	Length int64 // in ns
	Nodes  int
	Choice simulation.Choice
	// Scenario, if it is set, is the name of what is run instead; Text is what that says.
	Scenario, Text string `json:",omitempty"`
	// RealDisk lets the production wal keep the logs.
	RealDisk bool
	// Study, if it is set, is what is studied instead; Ending belongs to it.
	Study  string
	Ending simulation.Ending
}

// result is what became of a job: one of them.
type result struct {
	Report   *simulation.Report   `json:",omitempty"`
	FailOver *simulation.FailOver `json:",omitempty"`
}

func (r *result) hash() string {
	if r.FailOver != nil {
		return r.FailOver.Hash
	}
	return r.Report.Hash
}

func newWorker() (*worker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program, to run it several times: %w", err)
	}
	w := &worker{process: exec.Command(self, "--"+workerFlag)}
	w.process.Stderr = os.Stderr
	if w.jobs, err = w.process.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := w.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.results = json.NewDecoder(out)
	if err := w.process.Start(); err != nil {
		return nil, fmt.Errorf("start another process of this program: %w", err)
	}
	return w, nil
}

// run has the process do a job, and waits for it.
func (w *worker) run(j job) (*result, error) {
	if err := json.NewEncoder(w.jobs).Encode(j); err != nil {
		return nil, fmt.Errorf("seed %d: its process has died: %w", j.Seed, err)
	}
	r := &result{}
	if err := w.results.Decode(r); err != nil {
		return nil, fmt.Errorf("seed %d: its process has died: %w", j.Seed, err)
	}
	return r, nil
}

// end ends the process, whatever it does.
func (w *worker) end() {
	w.jobs.Close()
	// One that is not idle works for nobody any more.
	_ = w.process.Process.Kill()
	_ = w.process.Wait()
}

// dismiss ends those processes that were begun.
func dismiss(crew []*worker) {
	for _, w := range crew {
		if w != nil {
			w.end()
		}
	}
}

// work is the other side: it does jobs until there are no more.
func work(in io.Reader, out io.Writer) error {
	jobs, results := json.NewDecoder(bufio.NewReader(in)), json.NewEncoder(out)
	for {
		var j job
		switch err := jobs.Decode(&j); err {
		case nil:
		case io.EOF:
			return nil
		default:
			return fmt.Errorf("read a job: %w", err)
		}
		r, err := j.do(nil)
		if err != nil {
			return err
		}
		if err := results.Encode(r); err != nil {
			return fmt.Errorf("tell a result: %w", err)
		}
	}
}
