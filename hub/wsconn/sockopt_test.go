package wsconn_test

import "syscall"

// smallReceiveBuffer keeps what the kernel takes for a client that does not read to a few KiB. Set before the handshake
// of TCP, or the window was already offered.
func smallReceiveBuffer(_, _ string, c syscall.RawConn) (err error) {
	cerr := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10)
	})
	if cerr != nil {
		return cerr
	}
	return err
}
