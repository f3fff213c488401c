package real

import "syscall"

// childAttributes make a broker die with this program, however that ends, and keep a terminal's interrupt from it.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// mountMemory makes a directory a file system of its own, in memory.
func mountMemory(path, size string) error {
	return syscall.Mount("tmpfs", path, "tmpfs", 0, "size="+size)
}

func unmountMemory(path string) error { return syscall.Unmount(path, syscall.MNT_DETACH) }
