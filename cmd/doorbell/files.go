package main

import "syscall"

// reservedFiles is how many file descriptors are kept for everything but live sockets: the database, REST connections,
// callbacks.
const reservedFiles = 512

// maxSessions is how many live sockets this process may hold, from its limit of open files; 0 = no limit known. Go has
// raised the soft limit to the hard one at the start.
func maxSessions() int {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil || lim.Cur > 1<<30 {
		return 0
	}
	return max(int(lim.Cur)-reservedFiles, int(lim.Cur)/2)
}
