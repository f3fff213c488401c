// Package membership knows who is in the cluster and who of them is alive, as one broker sees it at one moment, and where
// replicas belong. It never decides anything: a view nominates, a quorum elects, and two brokers' views may differ.
//
// Views come of gossip (serf). What it holds to:
//
//   - A View is immutable, sorted by node and numbered; a feed's views have rising versions. It shows this broker, always
//     alive, and the members of its cluster; those that failed or left stay, not alive, as long as serf knows them (a day).
//   - Two clusters never mix: a foreigner is refused, whether it joins, is met or heard of. Who has no cluster yet adopts the
//     first that it meets, once, and says so only when that is durable.
//   - Of one cluster there is one catalog: who follows that of another epoch is refused, and of two epochs that meet the brokers
//     of the lower one stop.
//   - Of one node there is one living start. A lower incarnation, or an equal one with another nonce, is refused; a higher one
//     at another address waits until the earlier is dead: gossip has found that out, or nothing listens at its address any
//     more (succession.go). A copied data directory cannot push out its original.
//   - Nothing leaves this machine without a key. Holding the key is the whole trust: what is decided on the word of gossip
//     must be harmless if it is wrong.
//   - Events are only a reason to look. What a View shows is read from the whole state, so late, double and lost events
//     change nothing.
//
// Placement is a pure function in whole numbers: no clock, no randomness, no floating point, no order of a map.
// Goroutines, clocks and the network are confined to cluster.go, watch.go, rejoin.go, succession.go, door.go and addresses.go; the
// simulation feeds Views instead.
//
// Start reading at view.go; then cluster.go (options.go, watch.go, rejoin.go, succession.go, door.go) and the pure judgements that
// it asks: admission.go, founding.go, flapping.go, tags.go. Placement is placement.go, over ring.go and balance.go.
package membership
