//go:build unix

package postgres

import "syscall"

// alive looks, without waiting, whether the server has said anything or hung up while nobody asked it. Either way the
// connection is not used again; so a server that was restarted costs no caller anything.
func (l *link) alive() bool {
	if l.IsClosed() {
		return false
	}
	c, ok := l.socket.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	quiet := false
	var b [1]byte
	err = raw.Control(func(fd uintptr) { // not Read: behind a large group pgx may still be reading in the background
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		quiet = err == syscall.EAGAIN
	})
	return err == nil && quiet
}
