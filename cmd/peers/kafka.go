package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"troupe/cmd/troupe/bench"
)

// kafka is Apache Kafka from its published jars: one node, KRaft, no ZooKeeper. The load generators are the tools that come
// with it.
type kafka struct {
	cache   string // where the jars are, or will be
	durable bool   // log.flush.interval.messages=1: an fsync for every append; otherwise the default, none
}

func (k *kafka) name() string {
	if k.durable {
		return "kafka-durable"
	}
	return "kafka-default"
}

// kafkaVersion is the release of Kafka that is measured.
const kafkaVersion = "4.1.1"

// fetchTime bounds the fetching of the jars.
const fetchTime = 4 * time.Minute

// pom asks Maven for the jars.
const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>troupe</groupId><artifactId>peers</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>` + kafkaVersion + `</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>` + kafkaVersion + `</version></dependency>
  </dependencies>
</project>
`

// settings are server.properties; the verbs are the clients' address, the controller's (twice), the directory, the number of
// partitions.
const settings = `process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://%[1]s,CONTROLLER://%[2]s
advertised.listeners=PLAINTEXT://%[1]s
controller.quorum.voters=1@%[2]s
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=%[3]s
num.partitions=%[4]d
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
`

// The heap and collector of Kafka's own start scripts.
var serverJVM = []string{"-Xms1g", "-Xmx1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35"}

func (k *kafka) measure(ctx context.Context, p plan) (got outcome, err error) {
	got = outcome{System: "Apache Kafka " + kafkaVersion, Settings: "default (no fsync)", Durable: k.durable}
	if k.durable {
		got.Settings = "log.flush.interval.messages=1"
	}
	jars, err := k.fetch(ctx)
	if err != nil {
		return got, err
	}
	address, err := freeAddress()
	if err != nil {
		return got, err
	}
	config, err := k.configure(ctx, jars, address, p)
	if err != nil {
		return got, err
	}
	s, err := startServer(ctx, p.directory, address, "java", append(serverJVM, "-cp", jars, "kafka.Kafka", config)...)
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	l := &kafkaLoad{plan: p, jars: jars, address: address}
	return got, l.measure(ctx, &got)
}

// fetch returns the class path, having Maven fill the cache if it is empty.
func (k *kafka) fetch(ctx context.Context) (string, error) {
	for _, tool := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", missingf("%s is not installed; Kafka needs Java 17 or newer and Maven", tool)
		}
	}
	directory, err := filepath.Abs(filepath.Join(k.cache, "kafka-"+kafkaVersion))
	if err != nil {
		return "", err
	}
	jars := filepath.Join(directory, "*")
	complete := filepath.Join(directory, "pom.xml") // written last
	if _, err := os.Stat(complete); err == nil {
		return jars, nil
	}
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return "", err
	}
	wanted := filepath.Join(k.cache, "pom.xml")
	if err := os.WriteFile(wanted, []byte(pom), 0o644); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	_, err = run(ctx, filepath.Join(k.cache, "mvn.log"), "mvn", "-q", "-B", "-f", wanted, "dependency:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory="+directory)
	if err != nil {
		return "", missingf("Kafka's jars could not be fetched: %v", err)
	}
	return jars, os.Rename(wanted, complete)
}

// configure writes the server's properties and formats its directory.
func (k *kafka) configure(ctx context.Context, jars, address string, p plan) (string, error) {
	controller, err := freeAddress()
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf(settings, address, controller, filepath.Join(p.directory, "data"), p.partitions)
	if k.durable {
		text += "log.flush.interval.messages=1\n"
	}
	config := filepath.Join(p.directory, "server.properties")
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return "", err
	}
	var cluster [16]byte
	_, _ = rand.Read(cluster[:]) // never fails
	_, err = run(ctx, filepath.Join(p.directory, "format.log"), "java", "-cp", jars, "kafka.tools.StorageTool", "format",
		"-t", base64.RawURLEncoding.EncodeToString(cluster[:]), "-c", config)
	return config, err
}

// kafkaLoad is the load for one server.
type kafkaLoad struct {
	plan    plan
	jars    string
	address string
	values  string // file of values
	total   int64  // records written
}

// The pilot run warms the server up, creates the topic, and tells how many records fill the time: a virtual machine that has
// warmed up is several times as fast as it was in the pilot.
const (
	pilotRecords = 200_000
	warmFactor   = 4
	mostRecords  = 20_000_000
	kafkaTopic   = "load"
)

func (l *kafkaLoad) measure(ctx context.Context, got *outcome) error {
	if host, _, err := net.SplitHostPort(l.address); err != nil || host == "" {
		return fmt.Errorf("address %q: %w", l.address, err)
	}
	if err := l.writeValues(); err != nil {
		return err
	}
	pilot, err := l.produce(ctx, "pilot", pilotRecords, -1)
	if err != nil {
		return err
	}
	enough := int64(min(max(warmFactor*pilot.rate*l.plan.duration.Seconds(), pilotRecords), mostRecords))
	most, err := l.produce(ctx, "produce", enough, -1)
	if err != nil {
		return err
	}
	got.Produce = most.warm
	if got.Consume, err = l.consume(ctx); err != nil {
		return err
	}
	timed, err := l.produce(ctx, "produce-at-rate", int64(l.plan.rate*l.plan.duration.Seconds()), int64(l.plan.rate))
	if err != nil {
		return err
	}
	got.Achieved, got.P50, got.P99 = timed.rate, timed.p50, timed.p99
	return nil
}

// writeValues makes the file of random values, a line each, that the producer draws from: making them itself costs it more
// than sending them.
func (l *kafkaLoad) writeValues() error {
	payload := bench.NewPayload(l.plan.bytes, true, 0)
	var text strings.Builder
	for range 10_000 {
		_, value := payload.Next()
		for i, b := range value {
			value[i] = '!' + b%94 // a line has to be text
		}
		text.Write(value)
		text.WriteByte('\n')
	}
	l.values = filepath.Join(l.plan.directory, "values.txt")
	return os.WriteFile(l.values, []byte(text.String()), 0o644)
}

// produce runs org.apache.kafka.tools.ProducerPerformance with the batch size and linger of Troupe's client.
func (l *kafkaLoad) produce(ctx context.Context, name string, records, throughput int64) (performance, error) {
	text, err := l.tool(ctx, name, "org.apache.kafka.tools.ProducerPerformance", "--topic", kafkaTopic,
		"--num-records", strconv.FormatInt(records, 10), "--throughput", strconv.FormatInt(throughput, 10), "--payload-file", l.values,
		"--producer-props", "bootstrap.servers="+l.address, "acks=all", "linger.ms=5", "batch.size=262144", "buffer.memory=67108864")
	if err != nil {
		return performance{}, err
	}
	l.total += records
	return parseProducer(text)
}

// consume runs org.apache.kafka.tools.ConsumerPerformance over all that was written.
func (l *kafkaLoad) consume(ctx context.Context) (float64, error) {
	text, err := l.tool(ctx, "consume", "org.apache.kafka.tools.ConsumerPerformance", "--topic", kafkaTopic,
		"--bootstrap-server", l.address, "--messages", strconv.FormatInt(l.total, 10))
	if err != nil {
		return 0, err
	}
	return parseConsumer(text)
}

// toolTime bounds one run of a tool.
const toolTime = 90 * time.Second

func (l *kafkaLoad) tool(ctx context.Context, name, class string, arguments ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, toolTime)
	defer cancel()
	return run(ctx, filepath.Join(l.plan.directory, name+".txt"), "java", append([]string{"-Xmx512m", "-cp", l.jars, class}, arguments...)...)
}
