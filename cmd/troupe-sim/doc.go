// Command troupe-sim breaks a simulated broker on purpose and checks that it keeps its promises. The same seed gives the same
// run, to the last event, on any machine: see package simulation.
//
//	troupe-sim --seed 7 --trace          one run, every event printed
//	troupe-sim --seeds 500               seeds 0 to 499, in as many processes as there are cores
//	troupe-sim --seeds 500 --nodes 3     all of them with three brokers
//	troupe-sim --seed 7 --check-determinism
//	troupe-sim --real 20                 the same idea against broker processes: see package real
//	troupe-sim --study failover --seeds 1000 --nodes 3
//
// Many seeds are shared by as many processes as there are processors (--jobs), since one process runs one simulation at a time.
//
// It exits with 1 when a promise was broken, and prints the command that replays the run.
package main
