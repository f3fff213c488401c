//go:build !linux

package main

import "syscall"

// childAttributes keep a terminal's Ctrl-C for this process, which stops its brokers in order.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
