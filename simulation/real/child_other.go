//go:build !linux

package real

import (
	"errors"
	"syscall"
)

// childAttributes keep a terminal's interrupt from a broker.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// mountMemory makes a directory a file system of its own, where that is known how.
func mountMemory(string, string) error { return errors.ErrUnsupported }

func unmountMemory(string) error { return errors.ErrUnsupported }
