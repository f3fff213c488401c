// Command troupe-sim breaks a simulated broker on purpose and checks that it keeps its promises. The same seed gives the same
// run, to the last event, on any machine: see package simulation.
//
//	troupe-sim --seed 7 --trace          one run, every event printed
//	troupe-sim --seeds 500               seeds 0 to 499, in as many processes as there are cores
//	troupe-sim --seeds 500 --nodes 3     all of them with three brokers
//	troupe-sim --seed 7 --check-determinism
//	troupe-sim --seeds 100 --disk real   logs in files, written by the production wal, in place of its twin
//	troupe-sim --faults list             what can go wrong
//	troupe-sim --seeds 500 --faults crash,cut-leader
//	troupe-sim --seed 7 --only crash:1,lost-frame:3-5 --operations producer-a:1-9
//	troupe-sim --scenario FILE --trace   what a file describes, and nothing else
//	troupe-sim --scenario list           what may stand in it
//	troupe-sim --real 20                 the same idea against broker processes: see package real
//	troupe-sim --study failover --seeds 1000 --nodes 3
//
// Many seeds are shared by as many processes as there are processors (--jobs), since one process runs one simulation at a time.
//
// It exits with 1 when a promise was broken, shrinks the first run that broke one to the faults and operations it needs, and prints
// them and the command that replays them. It exits with 2 when the command line was wrong.
package main
