package main

import "syscall"

// childAttributes keep a terminal's Ctrl-C for this process, which stops its brokers in order, and end them with it whatever ends
// it: nobody would know of them afterwards.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
