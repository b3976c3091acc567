package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testdb"
)

// readServers are two servers on a primary with a standby.
type readServers struct {
	standby *testdb.Standby
	issuer  clerk
	servers [2]*program
	metrics [2]string
	limit   int
}

func startReadServers(t *testing.T) *readServers {
	t.Helper()
	r := &readServers{standby: testdb.NewStandby(t), issuer: newClerk(t)}
	for i := range r.servers {
		address, operator := freeAddr(t), freeAddr(t)
		r.metrics[i] = "http://" + operator + "/metrics"
		r.servers[i] = launch(t, environment(newDataDir(t), "DATABASE_URL="+r.standby.PrimaryDSN, "VERSIONER_READ_DATABASE_URL="+r.standby.DSN,
			"VERSIONER_KEY_PEPPER=0123456789012345678901234567890123456789", "VERSIONER_ENCRYPTION_KEYS="+strings.Repeat("A", 43)+"=",
			"VERSIONER_JWT_ISSUER="+r.issuer.URL, "VERSIONER_JWT_AUTHORIZED_PARTY=https://app.example.com",
			"VERSIONER_RATE_LIMIT_USER_PER_MINUTE=0", "VERSIONER_RATE_LIMIT_KEY_PER_MINUTE=0", "VERSIONER_RATE_LIMIT_ACCOUNT_PER_HOUR=0",
			"VERSIONER_ADDR="+address, "VERSIONER_OPERATOR_ADDR="+operator), "serve")
		r.servers[i].url = "http://" + address
		require.Eventually(t, func() bool { return isReady(address) }, time.Minute, 10*time.Millisecond)
	}
	return r
}

func (r *readServers) token(t *testing.T) string {
	t.Helper()
	return r.issuer.session(t, map[string]any{"exp": time.Now().Add(time.Hour).Unix()}).Value
}

// list returns how many objects a list has. Every call has another limit, so that no server answers with a body that it shares.
func (r *readServers) list(t *testing.T, server int, path string) int {
	t.Helper()
	r.limit++
	status, answer := request(t, http.MethodGet, fmt.Sprintf("%s%s?limit=%d", r.servers[server].url, path, 20+r.limit%180), r.token(t))
	require.Equal(t, http.StatusOK, status, "%s", answer)
	var page struct{ Items []json.RawMessage }
	require.NoError(t, json.Unmarshal(answer, &page))
	return len(page.Items)
}

// reads returns how many lists a server has read from the standby.
func (r *readServers) reads(t *testing.T, server int) int {
	t.Helper()
	status, text := request(t, http.MethodGet, r.metrics[server], "")
	require.Equal(t, http.StatusOK, status)
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if value, found := strings.CutPrefix(lines.Text(), `versioner_list_reads_total{pool="replica"} `); found {
			n, err := strconv.Atoi(value)
			require.NoError(t, err)
			return n
		}
	}
	return 0
}

// awaitReplica waits until every server reads lists from the standby.
func (r *readServers) awaitReplica(t *testing.T) {
	t.Helper()
	for server := range r.servers {
		require.Eventually(t, func() bool {
			before := r.reads(t, server)
			r.list(t, server, "/products/")
			return r.reads(t, server) > before
		}, time.Minute, 50*time.Millisecond, "server %d does not use the standby: %s", server, r.servers[server].stderr)
	}
}

// TestReadReplica reads lists from a streaming standby, which stops replaying and is stopped.
func TestReadReplica(t *testing.T) {
	t.Parallel()
	r := startReadServers(t)
	replay := func(function string) {
		conn, err := pgx.Connect(t.Context(), r.standby.DSN)
		require.NoError(t, err)
		_, err = conn.Exec(t.Context(), "SELECT "+function+"()")
		require.NoError(t, err)
		require.NoError(t, conn.Close(t.Context()))
	}
	pause, resume := func() { replay("pg_wal_replay_pause") }, func() { replay("pg_wal_replay_resume") }
	createKey := func() string {
		status, answer := postTo(r.servers[0].url+"/api-keys/", r.token(t), map[string]any{"name": "ci"})
		require.Equal(t, http.StatusCreated, status, "%s", answer)
		var created struct{ Key string }
		require.NoError(t, json.Unmarshal(answer, &created))
		return created.Key
	}
	key := createKey()
	event := func(version string) {
		status, answer := post(r.servers[0].url, key, map[string]any{"product_name": "p", "version": version, "environment_name": "e", "status": "completed", "invoke_id": version})
		require.Equal(t, http.StatusOK, status, "%s", answer)
	}
	event("1")

	t.Run("ListsComeFromTheStandby", func(t *testing.T) {
		r.awaitReplica(t)
		before := [2]int{r.reads(t, 0), r.reads(t, 1)}
		for range 20 {
			require.Equal(t, 1, r.list(t, 0, "/deployments/"))
			require.Equal(t, 1, r.list(t, 1, "/deployments/"))
		}
		for server := range before { // on a machine without a free processor, a measurement may be late
			require.GreaterOrEqual(t, r.reads(t, server), before[server]+10)
		}
	})
	t.Run("AChangeOfAUserIsInTheNextListOnEveryServer", func(t *testing.T) {
		t.Cleanup(resume)
		for i := range 3 {
			r.awaitReplica(t)
			pause()
			products := r.list(t, 0, "/products/")
			status, answer := postTo(r.servers[i%2].url+"/products/", r.token(t), map[string]any{"name": fmt.Sprintf("product %d", i)})
			require.Equal(t, http.StatusCreated, status, "%s", answer)
			require.Equal(t, products+1, r.list(t, i%2, "/products/"), "on the same server")
			require.Eventually(t, func() bool { return r.list(t, 1-i%2, "/products/") == products+1 }, 900*time.Millisecond, time.Millisecond,
				"on the other server, once it has received the announcement and before the standby is too far behind to be used")
			resume()
			time.Sleep(2 * time.Second) // until lists may come from the standby again
		}
	})
	t.Run("AStandbyMoreThanASecondBehindIsNotUsed", func(t *testing.T) {
		events, isStale := 1, false
		for !isStale {
			require.Less(t, events, 10, "no list is read from the standby, which has not replayed the last event")
			r.awaitReplica(t)
			pause()
			events++
			event(strconv.Itoa(events))
			recorded := time.Now()
			for r.list(t, 0, "/deployments/") != events {
				isStale = true
				require.Less(t, time.Since(recorded), 3*time.Second)
				time.Sleep(20 * time.Millisecond)
			}
			for range 20 {
				require.Equal(t, events, r.list(t, 0, "/deployments/"))
			}
			if !isStale {
				resume()
			}
		}
		require.Eventually(t, func() bool {
			return strings.Contains(r.servers[0].stderr.String(), "read replica is not used") && strings.Contains(r.servers[0].stderr.String(), "more than a second behind")
		}, 10*time.Second, 10*time.Millisecond)
		resume()
		r.awaitReplica(t)
		require.Contains(t, r.servers[0].stderr.String(), "read replica is used again")
		require.Equal(t, events, r.list(t, 0, "/deployments/"))
	})
	t.Run("AStoppedStandbyFailsNoList", func(t *testing.T) {
		r.awaitReplica(t)
		lists := startReaders(t, r.servers[0].url, r.token(t), 4)
		time.Sleep(300 * time.Millisecond)
		r.standby.Stop(t)
		time.Sleep(2 * time.Second)
		r.standby.Start(t)
		r.awaitReplica(t)
		lists.stop()
		require.Equal(t, map[int]int{http.StatusOK: lists.statuses[http.StatusOK]}, lists.statuses, "%s", r.servers[0].stderr)
	})
	for _, server := range r.servers {
		server.stop(t)
	}
}

// TestReadReplicaThatIsNone starts servers with a database that must not be read from.
func TestReadReplicaThatIsNone(t *testing.T) {
	t.Parallel()
	standby := testdb.NewStandby(t)
	standby.Stop(t)
	other := testdb.NewStandby(t).DSN
	for name, dsn := range map[string]string{"unreachable": standby.DSN, "is not a standby": standby.PrimaryDSN, "another cluster": other} {
		server := launch(t, environment(newDataDir(t), "DATABASE_URL="+standby.PrimaryDSN, "VERSIONER_READ_DATABASE_URL="+dsn,
			"VERSIONER_KEY_PEPPER=0123456789012345678901234567890123456789", "VERSIONER_ENCRYPTION_KEYS="+strings.Repeat("A", 43)+"="), "serve")
		require.Eventually(t, func() bool { return strings.Contains(server.stderr.String(), "read replica is not used") }, 10*time.Second, 10*time.Millisecond, name)
		require.True(t, isReady(strings.TrimPrefix(server.url, "http://")), name)
		server.stop(t)
	}
	_, stderr, err := call(t, environment(newDataDir(t), "VERSIONER_READ_DATABASE_URL="+standby.DSN), "serve")
	require.Error(t, err)
	require.Contains(t, stderr, "VERSIONER_READ_DATABASE_URL is set without DATABASE_URL")
}
