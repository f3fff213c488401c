// Package simulation breaks brokers on purpose, one or several. It runs the production actors, the production replica and the
// production codecs on one goroutine, under a virtual clock and on a disk that forgets what was not synced; simulated clients
// produce and consume through real frames; everything they saw is checked when the run ends, and much of it at every step.
//
// One seed draws everything, through named streams (streams.go), and a running hash covers every event: the same seed gives
// the same hash in any process, under any GOMAXPROCS. One simulation runs per process at a time, because raft takes its
// randomness from a global variable that a run replaces.
//
// Replaced are only the clock, the order of steps, the pool, the sockets and the disk. The disk is a twin of package wal: the
// same bytes through wal's codecs, the same decision through wal.Survey, on a volume that forgets; conformance_test.go holds
// both to each other, bytes included. Or it is wal itself (Config.RealDisk) over real files in memory: a mirror knows what of
// them was synced, takes the rest at a power loss, and lays out what is left for the next life, in another directory. There
// steps are what wal.Steps sees: an error within tidwall/wal exists in the twin only. Some runs damage what was synced (damage.go): that must be told to clients or do no
// harm; where nothing was damaged, whatever is reported as damage is a false alarm. That a run would notice is proven by
// planted_test.go, which takes the fsync, the repair and the sequence check away.
//
// What a seed draws goes through a plan (plan.go), which numbers every fault and every operation and can leave any of them out. So
// a run that broke a promise is shrunk by itself (shrink.go) to those that the break needs. A scenario (scenario.go) is a run whose
// faults and load are written down instead: scenarios/*.txt are the regressions that have a name.
//
// It never reads a real clock, opens a socket, or starts a goroutine; nor a file, unless the disk is real.
//
// Between several brokers lies a network that keeps the promise of actors.Peers and no other (network.go, cuts.go), and gossip
// that errs. An atlas bounds damage to fewer replicas than a quorum, so that it excuses nothing; a ledger remembers, across
// lives and wiped disks, who led, voted and held what, and compares each step with it. Just after another has come to lead, a
// client asks every broker what it knows (surveyor.go), and no broker may show what a leader told whose successor it has heard of
// (witness.go). When all is healed, some brokers stay away for ever: the rest must take writes, and hold everything that was
// acknowledged.
//
// Start reading at run.go (what a run is), then broker.go and cluster.go (what is replaced), scheduler.go (how order is drawn),
// disk.go and volume.go (what a crash loses; real_disk.go and mirror.go the same for real files), plan.go (what goes wrong),
// ledger.go and oracle.go (what must hold).
package simulation
