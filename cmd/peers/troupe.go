package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"troupe/cmd/troupe/bench"
)

// ours is Troupe, by its own binary, which is both processes.
type ours struct{ binary string }

func (o *ours) name() string { return "troupe" }

func (o *ours) measure(ctx context.Context, p plan) (got outcome, err error) {
	got = outcome{System: "Troupe", Settings: "fsync before every ack (always)", Durable: true}
	if _, err := os.Stat(o.binary); err != nil {
		return got, missingf("%s is not there; `make build` makes it", o.binary)
	}
	address, err := freeAddress()
	if err != nil {
		return got, err
	}
	s, err := startServer(ctx, p.directory, address, o.binary, "serve", "--data", filepath.Join(p.directory, "data"), "--gateway", address,
		"--http", "")
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	ask := func(verb string, more ...string) (*bench.Result, error) {
		arguments := append([]string{"bench", verb, "--broker", address, "--output", "json", "--fsync-dir", p.directory,
			"--partitions", strconv.Itoa(p.partitions), "--record-bytes", strconv.Itoa(p.bytes), "--payload", "random",
			"--duration", p.duration.String()}, more...)
		text, err := run(ctx, filepath.Join(p.directory, fmt.Sprintf("%s-%d.json", verb, len(more))), o.binary, arguments...)
		if err != nil {
			return nil, err
		}
		var r bench.Report
		if err := json.Unmarshal([]byte(text), &r); err != nil || len(r.Results) == 0 {
			return nil, fmt.Errorf("bench %s printed no report: %v", verb, err)
		}
		return r.Results[len(r.Results)-1], nil
	}
	most, err := ask("produce", "--topic", "load", "--keep")
	if err != nil {
		return got, err
	}
	got.Produce = most.Achieved
	read, err := ask("consume", "--topic", "load", "--keep", "--passes", "1")
	if err != nil {
		return got, err
	}
	got.Consume = read.Achieved
	timed, err := ask("produce", "--rate", fmt.Sprint(p.rate))
	if err != nil {
		return got, err
	}
	got.Achieved, got.P50, got.P99 = timed.Achieved, timed.Produce.P50, timed.Produce.P99
	return got, nil
}
