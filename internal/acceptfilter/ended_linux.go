package acceptfilter

import "golang.org/x/sys/unix"

// hasEnded tells whether the client has closed its side, or all of the connection: behind what has come and is not read yet,
// nothing else tells.
func hasEnded(fd int) bool {
	const established = 1 // TCP_ESTABLISHED of the kernel
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && info.State != established
}
