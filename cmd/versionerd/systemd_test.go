package main

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestServiceManager is the systemd of a service with Type=notify and WatchdogSec.
func TestServiceManager(t *testing.T) {
	t.Parallel()
	for name, arguments := range map[string][]string{"Server": {"serve"}, "Worker": {"worker"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "notify")
			socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
			require.NoError(t, err)
			t.Cleanup(func() { _ = socket.Close() })
			receive := func() string {
				require.NoError(t, socket.SetReadDeadline(time.Now().Add(time.Minute)))
				message := make([]byte, 64)
				length, err := socket.Read(message)
				require.NoError(t, err)
				return string(message[:length])
			}
			p := start(t, environment(newDataDir(t), "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=100000"), arguments...)
			require.Equal(t, "READY=1", receive(), "%s", p.stderr)
			require.Equal(t, "WATCHDOG=1", receive())
			require.Equal(t, "WATCHDOG=1", receive())
			p.stop(t)
			if name == "Server" {
				message := receive()
				for message == "WATCHDOG=1" {
					message = receive()
				}
				require.Equal(t, "STOPPING=1", message)
			}
		})
	}
}
