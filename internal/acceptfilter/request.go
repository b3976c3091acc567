package acceptfilter

import (
	"bytes"
	"errors"
	"net"
	"strconv"
	"syscall"
	"time"
)

// enough of a request is given to the server, whatever it is: whoever has sent so much is not slow.
const enough = 4 << 10

// wait looks at what has come, whenever it is more, until that suffices, or nothing more can come. It returns false at the
// deadline, or when the client is gone without having sent anything.
func (l *Listener) wait(conn *net.TCPConn, deadline time.Time, suffices func(come []byte) bool) bool {
	raw, err := conn.SyscallConn()
	if err != nil || conn.SetReadDeadline(deadline) != nil {
		return false
	}
	isThere := false
	err = raw.Read(func(fd uintptr) (done bool) {
		buffer, _ := l.buffers.Get().(*[enough]byte)
		defer l.buffers.Put(buffer)
		size, err := peek(int(fd), buffer[:])
		switch {
		case errors.Is(err, syscall.EAGAIN):
			return false
		case err != nil || size == 0:
			return true
		}
		isThere = size == enough || suffices(buffer[:size]) || hasEnded(int(fd))
		return isThere
	})
	return err == nil && isThere
}

// peek leaves what it returns with the kernel.
func peek(fd int, buffer []byte) (size int, err error) {
	for {
		size, _, err = syscall.Recvfrom(fd, buffer, syscall.MSG_PEEK)
		if !errors.Is(err, syscall.EINTR) {
			return size, err //nolint:wrapcheck // looked at, not told
		}
	}
}

// hasHeader looks for the empty line that ends a request's header. What no request begins with, such as the greeting of TLS,
// is for the server to refuse.
func hasHeader(come []byte) bool {
	isMethod := 'A' <= come[0] && come[0] <= 'Z' || 'a' <= come[0] && come[0] <= 'z'
	return headerSize(come) > 0 || !isMethod
}

// isWhole tells a request that lacks some of its body. Whether one is chunked, or waits for the server's word before it sends
// its body, is for the server to see.
func isWhole(come []byte) bool {
	header, body := headerSize(come), 0
	for line := range bytes.Lines(come[:header]) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("Expect")), bytes.EqualFold(name, []byte("Transfer-Encoding")):
			return true
		case bytes.EqualFold(name, []byte("Content-Length")):
			length, err := strconv.Atoi(string(bytes.TrimSpace(value)))
			if err != nil { // the server refuses it
				return true
			}
			body = length
		}
	}
	return len(come)-header >= body
}

// headerSize is 0 when the header has not ended. Like net/http, it takes a line feed alone for the end of a line.
func headerSize(come []byte) int {
	size := 0
	for line := range bytes.Lines(come) {
		size += len(line)
		if len(bytes.TrimRight(line, "\r\n")) == 0 && line[len(line)-1] == '\n' {
			return size
		}
	}
	return 0
}
