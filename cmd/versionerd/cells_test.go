package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/embeddedpg"
)

// cell is a server with a PostgreSQL of its own.
type cell struct {
	database *embeddedpg.Server
	server   *program
	env      []string
	address  string
	issuer   clerk
}

func startCell(t *testing.T) *cell {
	t.Helper()
	database, err := embeddedpg.Start(t.Context(), embeddedpg.Config{Dir: newDataDir(t), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = database.Stop(context.Background()) })
	c := &cell{database: database, address: freeAddr(t), issuer: newClerk(t)}
	c.env = append(environment(newDataDir(t), "DATABASE_URL="+database.DSN(), "VERSIONER_KEY_PEPPER=0123456789012345678901234567890123456789",
		"VERSIONER_ENCRYPTION_KEYS="+strings.Repeat("A", 43)+"=", "VERSIONER_JWT_ISSUER="+c.issuer.URL, "VERSIONER_JWT_AUTHORIZED_PARTY=https://app.example.com",
		"VERSIONER_RATE_LIMIT_KEY_PER_MINUTE=0", "VERSIONER_RATE_LIMIT_ACCOUNT_PER_HOUR=0"), "VERSIONER_ADDR="+c.address)
	c.server = launch(t, c.env, "serve")
	return c
}

func (c *cell) createKey(t *testing.T, account string) string {
	t.Helper()
	key, stderr, err := call(t, c.env, "keys", "create", "--account", account, "--name", "ci")
	require.NoError(t, err, stderr)
	return strings.TrimSpace(key)
}

// senders send events at a steady rate, which does not depend on the answers.
type senders struct {
	done     chan struct{}
	group    sync.WaitGroup
	mu       sync.Mutex
	statuses map[int]int
}

const eventsPerSecond = 50

func startSenders(url, key string) *senders {
	s := &senders{done: make(chan struct{}), statuses: make(map[int]int)}
	s.group.Go(func() {
		ticker := time.NewTicker(time.Second / eventsPerSecond)
		defer ticker.Stop()
		for i := 0; ; i++ {
			select {
			case <-s.done:
				return
			case <-ticker.C:
			}
			s.group.Go(func() {
				status, _ := post(url, key, map[string]any{
					"product_name": "product " + strconv.Itoa(i%5), "version": strconv.Itoa(i), "environment_name": "production", "status": "completed",
				})
				s.mu.Lock()
				defer s.mu.Unlock()
				s.statuses[status]++
			})
		}
	})
	return s
}

// answeredIn returns how many events are answered with 200 within a time, and the number of other answers.
func (s *senders) answeredIn(d time.Duration) (ok, others int) {
	count := func() (ok, others int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for status, n := range s.statuses {
			if status == http.StatusOK {
				ok += n
			} else {
				others += n
			}
		}
		return ok, others
	}
	okBefore, othersBefore := count()
	time.Sleep(d)
	ok, others = count()
	return ok - okBefore, others - othersBefore
}

func (s *senders) stop() {
	close(s.done)
	s.group.Wait()
}

// TestCells runs two servers with a PostgreSQL each behind the nginx of deploy/cells, which routes accounts, and stops one of them.
func TestCells(t *testing.T) {
	t.Parallel()
	one, two := startCell(t), startCell(t)
	listen := freeAddr(t)
	proxy := "http://" + listen
	startNginx(t, "cells/nginx.conf", "10.0.1.11:8080", one.address, "    server 10.0.1.12:8080 max_fails=3 fail_timeout=1s;\n", "",
		"10.0.2.11:8080", two.address, "    server 10.0.2.12:8080 max_fails=3 fail_timeout=1s;\n", "", "listen 80;", "listen "+listen+";",
		"    acme cell2;\n", "    acme cell2;\n    a_b-c cell2;\n")
	keys := map[string]string{"other": one.createKey(t, "other"), "acme": two.createKey(t, "acme"), "a_b-c": two.createKey(t, "a_b-c")}

	t.Run("RouteKeysByTheirAccount", func(t *testing.T) {
		for account, key := range keys {
			for _, prefix := range []string{"", "/"} {
				status, answer := postTo(proxy+prefix+"/deployment-events/", key, someEvent())
				require.Equal(t, http.StatusOK, status, "%s: %s", account, answer)
			}
			for _, wrong := range []*cell{one, two} {
				status, _ := post("http://"+wrong.address, key, someEvent())
				require.Equal(t, (wrong == one) == (account == "other"), status == http.StatusOK, account)
			}
		}
		status, _ := post(proxy, "sk_acme_k1_unknown", someEvent())
		require.Equal(t, http.StatusUnauthorized, status)
	})
	t.Run("RouteUsersByTheHostName", func(t *testing.T) {
		accountAt := func(host string, issuer clerk) string {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, proxy+"/auth/session", nil)
			require.NoError(t, err)
			request.Host = host
			request.Header.Set("Authorization", "Bearer "+issuer.session(t, map[string]any{"o": map[string]any{"id": "org_1", "slg": "users", "rol": "admin"}}).Value)
			response, err := http.DefaultClient.Do(request)
			require.NoError(t, err)
			defer func() { _ = response.Body.Close() }()
			var session struct{ Account struct{ Slug string } }
			require.NoError(t, json.NewDecoder(response.Body).Decode(&session))
			return session.Account.Slug
		}
		require.Equal(t, "users", accountAt("versioner.example.com", one.issuer))
		require.Equal(t, "users", accountAt("two.versioner.example.com", two.issuer))
		require.Empty(t, accountAt("two.versioner.example.com", one.issuer), "the other cell does not know the identity provider")
	})
	t.Run("LeaveOthersAloneWhenOneIsDown", func(t *testing.T) {
		const window = 3 * time.Second
		down, unaffected := startSenders(proxy, keys["other"]), startSenders(proxy, keys["acme"])
		time.Sleep(time.Second)
		before, failedBefore := unaffected.answeredIn(window)
		require.NoError(t, one.server.command.Process.Kill())
		<-one.server.exited
		require.NoError(t, one.database.Stop(t.Context()))
		after, failedAfter := unaffected.answeredIn(window)
		down.stop()
		unaffected.stop()
		require.NotZero(t, down.statuses[http.StatusBadGateway], "%v", down.statuses)
		require.Zero(t, failedBefore+failedAfter, "%v", unaffected.statuses)
		t.Logf("events of the other cell in %v: %d with both cells, %d with one down (%.2f)", window, before, after, float64(after)/float64(before))
		require.GreaterOrEqual(t, float64(after), 0.95*float64(before))
	})
	two.server.stop(t)
}
