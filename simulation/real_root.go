package simulation

import (
	"os"
	"path/filepath"
	"syscall"
)

// memory is where files cost no disk.
const memory = "/dev/shm"

// rootPattern names the directories of runs; what a run that was killed has left is known by it.
const rootPattern = "troupe-sim-"

// enterRoot makes a directory for a run's files and makes it the working directory, so that all paths, and every message that
// holds one, are the same in each run. leave goes back and removes it.
func enterRoot() (leave func(), err error) {
	within := memory
	if info, err := os.Stat(memory); err != nil || !info.IsDir() {
		within = os.TempDir()
	}
	back, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	removeAbandoned(within)
	root, err := os.MkdirTemp(within, rootPattern)
	if err != nil {
		return nil, err
	}
	lock, _, err := takeRoot(root, os.O_CREATE)
	if err == nil {
		err = os.Chdir(root)
	}
	if err != nil {
		return nil, err
	}
	return func() {
		demand(os.Chdir(back))
		demand(os.RemoveAll(root))
		lock.Close()
	}, nil
}

// takeRoot locks a run's directory for as long as this process lives.
func takeRoot(root string, flag int) (lock *os.File, taken bool, err error) {
	if lock, err = os.OpenFile(filepath.Join(root, "lock"), os.O_RDWR|flag, 0o600); err != nil {
		return nil, false, err
	}
	if err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, false, nil
	}
	return lock, true, nil
}

// removeAbandoned removes the directories of runs whose process was killed.
func removeAbandoned(within string) {
	roots, _ := filepath.Glob(filepath.Join(within, rootPattern+"*")) // the pattern is well formed
	for _, root := range roots {
		if lock, taken, err := takeRoot(root, 0); err == nil && taken {
			_ = os.RemoveAll(root) // somebody else's may stay
			lock.Close()
		}
	}
}
