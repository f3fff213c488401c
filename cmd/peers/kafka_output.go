package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// performance is what ProducerPerformance says.
type performance struct {
	records  int64
	rate     float64 // records per second, of the whole run
	warm     float64 // the same without the first of its intervals of five seconds, if there are more
	p50, p99 float64 // ms
}

var (
	// producerInterval is a line it prints every five seconds: "226924 records sent, 45294.2 records/sec (4.32 MB/sec), 137.0 ms
	// avg latency, 1893.0 ms max latency."
	producerInterval = regexp.MustCompile(`(?m)^(\d+) records sent, ([\d.]+) records/sec .* max latency\.$`)
	// producerLine is its last line: "5000000 records sent, 139264.1 records/sec (13.28 MB/sec), 2958.05 ms avg latency, 6363.00
	// ms max latency, 3494 ms 50th, 5689 ms 95th, 6015 ms 99th, 6275 ms 99.9th."
	producerLine = regexp.MustCompile(`(?m)^(\d+) records sent, ([\d.]+) records/sec .* (\d+) ms 50th, \d+ ms 95th, (\d+) ms 99th`)
)

// parseProducer reads the output of ProducerPerformance. Latencies count from the call of send, in whole milliseconds.
func parseProducer(text string) (performance, error) {
	m := producerLine.FindStringSubmatch(text)
	if m == nil {
		return performance{}, fmt.Errorf("ProducerPerformance printed no summary: %s", lastLine(text))
	}
	var p performance
	var err error
	if p.records, err = strconv.ParseInt(m[1], 10, 64); err != nil {
		return performance{}, err
	}
	for i, into := range []*float64{&p.rate, &p.p50, &p.p99} {
		if *into, err = strconv.ParseFloat(m[i+2], 64); err != nil {
			return performance{}, err
		}
	}
	p.warm = p.rate
	intervals := producerInterval.FindAllStringSubmatch(text, -1)
	if len(intervals) < 2 {
		return p, nil
	}
	var records, seconds float64
	for _, m := range intervals[1:] {
		n, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			return performance{}, err
		}
		rate, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return performance{}, err
		}
		records, seconds = records+n, seconds+n/max(rate, 1)
	}
	p.warm = records / max(seconds, 1e-9)
	return p, nil
}

// consumerRate is the column of ConsumerPerformance that leaves out the time to join the group.
const consumerRate = "fetch.nMsg.sec"

// parseConsumer reads the output of ConsumerPerformance, a line of column names and a line of values: records per second.
func parseConsumer(text string) (float64, error) {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines[:len(lines)-1] {
		columns := strings.Split(line, ", ")
		for k, column := range columns {
			if strings.TrimSpace(column) != consumerRate {
				continue
			}
			if values := strings.Split(lines[i+1], ", "); len(values) == len(columns) {
				return strconv.ParseFloat(strings.TrimSpace(values[k]), 64)
			}
		}
	}
	return 0, fmt.Errorf("ConsumerPerformance printed no %s: %s", consumerRate, lastLine(text))
}
