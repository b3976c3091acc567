package httpapi_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
	"github.com/versioner-io/versioner/internal/testdb"
)

// TestIdempotencyKeysOfUsersSurviveAnOutage: a request of a user with a key survives what one without survives.
func TestIdempotencyKeysOfUsersSurviveAnOutage(t *testing.T) {
	t.Parallel()

	t.Run("OfWrites", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		failStatements(t, api, "INSERT ON idempotency_keys")
		answer := postWithKey(t, api, api.Token(t, testapi.Account, "admin"), "/products/", "k", `{"name":"x"}`)
		require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
		require.Equal(t, 1, api.Count(t, "idempotency_keys WHERE response IS NOT NULL"))
	})

	t.Run("AndAreTriedAgainAtOnce", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t)
		admin := api.Token(t, testapi.Account, "admin")
		unlock := lock(t, api, "LOCK TABLE products IN ACCESS EXCLUSIVE MODE")
		require.Equal(t, http.StatusServiceUnavailable, postWithKey(t, api, admin, "/products/", "k", `{"name":"x"}`).Status)
		unlock()
		begin := time.Now()
		answer := postWithKey(t, api, admin, "/products/", "k", `{"name":"x"}`)
		require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
		require.Empty(t, answer.Header.Get("Idempotent-Replayed"))
		require.Less(t, time.Since(begin), 20*time.Second, "the claim of the first request does not have to expire")
	})
}

// failStatements fails the first three statements of that kind as a read-only server does.
func failStatements(t *testing.T, api *testapi.API, when string) {
	t.Helper()
	api.Exec(t, `CREATE SEQUENCE tries; GRANT USAGE ON SEQUENCE tries TO versioner_app;
		CREATE FUNCTION fail_statement() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF nextval('tries') <= 3 THEN RAISE 'read-only' USING ERRCODE = 'read_only_sql_transaction'; END IF;
			RETURN NEW;
		END $$;
		CREATE TRIGGER fail_statement BEFORE `+when+` FOR EACH ROW EXECUTE FUNCTION fail_statement()`)
}

// lossyProxy stands before PostgreSQL, and can break the connection instead of handing on the answer to a statement.
type lossyProxy struct {
	dsn     string
	network string // of PostgreSQL
	address string
	pattern *regexp.Regexp // of the statement, or of its preparation with the name that it is prepared under

	mu       sync.Mutex
	prepared []byte
	losing   bool
	losses   int
}

func newLossyProxy(t *testing.T, dsn, pattern string) *lossyProxy {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	p := &lossyProxy{pattern: regexp.MustCompile(pattern)}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	p.network, p.address = pgconn.NetworkAddress(config.Host, config.Port)
	host, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	p.dsn = fmt.Sprintf("host=%s port=%s user=%s password='%s' dbname=%s sslmode=disable", host, port, config.User, config.Password, config.Database)
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(context.WithoutCancel(t.Context()), client)
		}
	}()
	return p
}

// loseNext loses the next answer to the statement.
func (p *lossyProxy) loseNext() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.losing = true
}

func (p *lossyProxy) lost() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.losses
}

func (p *lossyProxy) serve(ctx context.Context, client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := (&net.Dialer{}).DialContext(ctx, p.network, p.address)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	var lossy sync.Mutex // held while an answer is awaited that will be lost
	go func() {
		defer func() { _ = server.Close() }()
		buffer := make([]byte, 1<<16)
		for {
			n, err := client.Read(buffer)
			if err != nil {
				return
			}
			if p.isToBeLost(buffer[:n]) {
				lossy.Lock()
			}
			if _, err := server.Write(buffer[:n]); err != nil {
				return
			}
		}
	}()
	buffer := make([]byte, 1<<16)
	for {
		n, err := server.Read(buffer) // PostgreSQL answers when the transaction has ended
		if err != nil || !lossy.TryLock() {
			return
		}
		lossy.Unlock()
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// isToBeLost reports whether the message executes the statement whose answer is to be lost.
func (p *lossyProxy) isToBeLost(message []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.pattern.FindSubmatch(message)
	if len(found) == 2 {
		p.prepared = bytes.Clone(found[1])
		return false
	}
	if !p.losing || found == nil && (p.prepared == nil || !bytes.Contains(message, p.prepared)) {
		return false
	}
	p.losing = false
	p.losses++
	return true
}

// TestLostCommit loses the answer to the commit of a request with an Idempotency-Key, and of one without.
func TestLostCommit(t *testing.T) {
	t.Parallel()
	proxy := newLossyProxy(t, testdb.New(t), `commit\x00`)
	api := testapi.New(t, testapi.WithDatabase(proxy.dsn))
	admin := api.Token(t, testapi.Account, "admin")
	require.Equal(t, http.StatusCreated, postWithKey(t, api, admin, "/products/", "another", `{"name":"another"}`).Status)
	proxy.loseNext()
	answer := postWithKey(t, api, admin, "/products/", "k", `{"name":"x"}`)
	require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
	require.Equal(t, "true", answer.Header.Get("Idempotent-Replayed"))
	require.Equal(t, 1, proxy.lost())
	require.Equal(t, 1, api.Count(t, "products WHERE name = 'x'"))

	proxy.loseNext()
	require.Equal(t, http.StatusServiceUnavailable, api.As(t, "admin", http.MethodPost, "/products/", `{"name":"y"}`).Status)
	require.Equal(t, 2, proxy.lost())
	require.Equal(t, 1, api.Count(t, "products WHERE name = 'y'"))
}

// TestCallsHoldNoConnection looks at the database while a receiver delays its answer to a test message, and while the name of a
// receiver is looked up.
func TestCallsHoldNoConnection(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	admin := api.Token(t, testapi.Account, "admin")
	called, answer := make(chan struct{}), make(chan struct{})
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		called <- struct{}{}
		<-answer
	}))
	t.Cleanup(receiver.Close)
	created := postWithKey(t, api, admin, "/notification-channels/", "c", `{"name":"c","channel_type":"webhook","config":{"url":"`+receiver.URL+`"}}`)
	require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)

	var tested testapi.Answer
	var group sync.WaitGroup
	group.Go(func() {
		tested = postWithKey(t, api, admin, fmt.Sprintf("/notification-channels/%s/test", created.Field(t, "id")), "k", "")
	})
	<-called
	held := api.Count(t, "pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'")
	close(answer)
	group.Wait()
	require.Zero(t, held)
	require.Equal(t, http.StatusOK, tested.Status, "%s", tested.Body)
	require.Equal(t, true, tested.Field(t, "delivered"))
	require.Zero(t, api.Count(t, "idempotency_keys WHERE operation = 'testNotificationChannel'"))
}

// TestChannelReplayLooksUpNoNames repeats a request when the sender cannot be used any more.
func TestChannelReplayLooksUpNoNames(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	admin := api.Token(t, testapi.Account, "admin")
	const channel = `{"name":"c","channel_type":"webhook","config":{"url":"http://127.0.0.1:9/"}}`
	require.Equal(t, http.StatusCreated, postWithKey(t, api, admin, "/notification-channels/", "k", channel).Status)
	api.Channels.Sender.HTTP = nil // using it panics
	again := postWithKey(t, api, admin, "/notification-channels/", "k", channel)
	require.Equal(t, http.StatusCreated, again.Status, "%s", again.Body)
	require.Equal(t, "true", again.Header.Get("Idempotent-Replayed"))
}
