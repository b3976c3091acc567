package app

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/buildinfo"
	"github.com/versioner-io/versioner/internal/config"
	"github.com/versioner-io/versioner/internal/telemetry"
	"github.com/versioner-io/versioner/internal/testapi"
)

// operator starts the listener of an address and returns the URL of the metrics from the log.
func operator(t *testing.T, cfg config.Config) (url string, logs *testapi.Logs, err error) {
	t.Helper()
	logs = &testapi.Logs{}
	a := &App{cfg: cfg, logger: slog.New(slog.NewJSONHandler(logs, nil)), telemetry: telemetry.Telemetry{Metrics: telemetry.NewMetrics(buildinfo.Read())}}
	stop, err := a.serveOperator(t.Context())
	if err == nil {
		t.Cleanup(stop)
	}
	if found := regexp.MustCompile(`"url":"([^"]+)"`).FindStringSubmatch(logs.String()); found != nil {
		url = found[1]
	}
	return url, logs, err
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

func TestOperator(t *testing.T) {
	t.Parallel()
	t.Run("ServesMetricsAndProfilesOnLoopback", func(t *testing.T) {
		t.Parallel()
		url, _, err := operator(t, config.Config{OperatorAddr: "127.0.0.1:0"})
		require.NoError(t, err)
		status, text := get(t, url)
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, text, "versioner_build_info{")
		status, _ = get(t, url[:len(url)-len("/metrics")]+"/debug/pprof/")
		require.Equal(t, http.StatusOK, status)
	})
	t.Run("ServesNoProfilesElsewhere", func(t *testing.T) {
		t.Parallel()
		for _, address := range []string{"0.0.0.0", "10.0.0.5", "::", "2001:db8::1"} {
			require.False(t, hasProfiles(config.Config{}, &net.TCPAddr{IP: net.ParseIP(address)}), address)
			require.True(t, hasProfiles(config.Config{OperatorPprof: true}, &net.TCPAddr{IP: net.ParseIP(address)}), address)
		}
		require.True(t, hasProfiles(config.Config{}, &net.TCPAddr{IP: net.IPv6loopback}))
	})
	t.Run("FailsWhenAChosenAddressIsInUse", func(t *testing.T) {
		t.Parallel()
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer taken.Close()
		_, _, err = operator(t, config.Config{OperatorAddr: taken.Addr().String()})
		require.ErrorContains(t, err, "address already in use; choose another address with --operator-addr")
	})
	t.Run("WarnsWhenTheDefaultAddressIsInUse", func(t *testing.T) {
		t.Parallel()
		if taken, err := net.Listen("tcp", config.DefaultOperatorAddr); err == nil { // else a server on this machine has it
			defer taken.Close()
		}
		url, logs, err := operator(t, config.Config{OperatorAddr: config.DefaultOperatorAddr})
		require.NoError(t, err)
		require.Empty(t, url)
		require.Contains(t, logs.String(), "metrics are not served")
	})
}
