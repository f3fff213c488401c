// Command peers puts the same load on Troupe, on nats-server's JetStream and on Apache Kafka, on this machine, one after the
// other, and prints one table of ratios. It is a module of its own: the broker does not carry its peers' libraries.
//
// Each system runs as a server process and a load generator process, on loopback, with one node, six partitions (streams in
// NATS), and values of 100 random bytes; NATS and Kafka twice, as they come and so that an acknowledged record is on the
// disk, which Troupe always does. Kafka is measured by its own tools, whose latencies count from the call of send and are
// whole milliseconds; the others by open loop from the time a record was due.
//
// What is missing on the machine (Java, Maven, a way to fetch a server) is said, and left out of the table. Every raw result
// is kept in a directory.
//
// Start reading at main.go; there is a file for each system.
package main
