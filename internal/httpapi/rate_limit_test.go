package httpapi_test

import (
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/httpapi"
	"github.com/versioner-io/versioner/internal/ratelimit"
	"github.com/versioner-io/versioner/internal/testapi"
	"github.com/versioner-io/versioner/internal/testredis"
)

func TestRateLimits(t *testing.T) {
	t.Parallel()

	t.Run("KeySpendsItsMinuteAtOnce", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t, testapi.WithLimits(httpapi.Limits{KeyPerMinute: 64, AccountPerHour: 1000}))
		var admitted, refused atomic.Int64
		var group sync.WaitGroup
		for i := range 80 {
			group.Go(func() {
				answer := api.Post(t, deploymentEvents, `{"product_name":"p","version":"`+strconv.Itoa(i)+`","environment_name":"e","status":"completed"}`)
				switch answer.Status {
				case http.StatusOK:
					admitted.Add(1)
				case http.StatusTooManyRequests:
					refused.Add(1)
					seconds, err := strconv.Atoi(answer.Header.Get("Retry-After"))
					require.NoError(t, err)
					require.InDelta(t, 60, seconds, 2)
					require.JSONEq(t, `{"detail":"Rate limit exceeded. Try again in `+strconv.Itoa(seconds)+` seconds."}`, string(answer.Body))
					require.Equal(t, "0", answer.Header.Get("X-RateLimit-Remaining"))
				}
			})
		}
		group.Wait()
		require.Equal(t, int64(64), admitted.Load())
		require.Equal(t, int64(16), refused.Load())
		require.Equal(t, 64, api.Count(t, "events"), "what is refused is not recorded")

		api.Key = api.NewKey(t, testapi.Account) // another key has a minute of its own
		api.PostEvent(t, deploymentEvents, deployment(nil))
	})

	t.Run("AuthenticatedAnswersHaveTheHeaders", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t, testapi.WithLimits(httpapi.Limits{KeyPerMinute: 10, AccountPerHour: 8, UserPerMinute: 4}))
		answer := api.PostEvent(t, deploymentEvents, deployment(nil))
		require.Equal(t, "8", answer.Header.Get("X-RateLimit-Limit"), "the tightest")
		require.Equal(t, "7", answer.Header.Get("X-RateLimit-Remaining"))
		reset, err := strconv.ParseInt(answer.Header.Get("X-RateLimit-Reset"), 10, 64)
		require.NoError(t, err)
		require.InDelta(t, time.Now().Add(time.Hour).Unix(), reset, 70)
		require.Equal(t, `"key";q=10;w=60, "account";q=8;w=3600`, answer.Header.Get("RateLimit-Policy"))
		require.Regexp(t, `^"key";r=9;t=6[01], "account";r=7;t=36\d\d$`, answer.Header.Get("RateLimit"))

		for _, path := range []string{"/products/", "/products/01a208e8-398d-77cf-869d-63489d46d0e3"} { // 200 and 404
			answer = api.As(t, "viewer", http.MethodGet, path, "")
			require.Equal(t, "4", answer.Header.Get("X-RateLimit-Limit"))
		}
		require.Equal(t, "2", answer.Header.Get("X-RateLimit-Remaining"))
		require.Equal(t, http.StatusUnprocessableEntity, api.As(t, "viewer", http.MethodGet, "/products/?limit=x", "").Status)
		require.Equal(t, http.StatusForbidden, api.As(t, "viewer", http.MethodPost, "/products/", `{"name":"x"}`).Status, "a refused request counts")
		require.Equal(t, http.StatusTooManyRequests, api.As(t, "viewer", http.MethodGet, "/products/", "").Status)

		// The account has three left: requests of keys and of users count together.
		for range 3 {
			require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodGet, "/products/", "").Status)
		}
		answer = api.Post(t, deploymentEvents, `{}`)
		require.Equal(t, http.StatusTooManyRequests, answer.Status)
		seconds, err := strconv.Atoi(answer.Header.Get("Retry-After"))
		require.NoError(t, err)
		require.InDelta(t, 3600, seconds, 70)
		require.Empty(t, api.Get(t, "/health").Header.Get("X-RateLimit-Limit"))
		require.Equal(t, http.StatusOK, api.Get(t, "/health").Status)
		require.Equal(t, http.StatusUnauthorized, api.Get(t, "/products/").Status)
	})

	t.Run("AnAccountAndAKeyMayHaveTheirOwn", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t, testapi.WithLimits(httpapi.Limits{KeyPerMinute: 1, AccountPerHour: 5, UserPerMinute: 9}))
		api.As(t, "viewer", http.MethodGet, "/products/", "")
		limit := func(name string) string {
			return api.Post(t, deploymentEvents, `{}`).Header.Get(name)
		}
		require.Equal(t, "1", limit("X-RateLimit-Limit"))
		perMinute, perHour := int32(50), int32(40)
		require.NoError(t, api.Keys.SetKeyLimit(t.Context(), testapi.Account, "k1", &perMinute))
		require.NoError(t, api.Keys.SetAccountLimit(t.Context(), testapi.Account, &perHour))
		require.Eventually(t, func() bool {
			return limit("RateLimit-Policy") == `"key";q=50;w=60, "account";q=40;w=3600`
		}, time.Minute, 100*time.Millisecond)
		require.Equal(t, `"user";q=9;w=60, "account";q=40;w=3600`, api.As(t, "viewer", http.MethodGet, "/products/", "").Header.Get("RateLimit-Policy"))
		require.NoError(t, api.Keys.SetKeyLimit(t.Context(), testapi.Account, "k1", new(int32)))
		require.Eventually(t, func() bool { return limit("RateLimit-Policy") == `"account";q=40;w=3600` }, time.Minute, 100*time.Millisecond)
		require.Contains(t, string(api.As(t, "admin", http.MethodGet, "/audit-log/", "").Body), `"api_key.limit"`)
	})

	t.Run("ValidCredentialsOfTheOtherKindCountAsTheirOwn", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t, testapi.WithLimits(httpapi.Limits{KeyPerMinute: 2, AccountPerHour: 100, UserPerMinute: 3}))
		token := api.Token(t, testapi.Account, "admin")
		send := func(method, path, credential string) testapi.Answer {
			request := api.Request(t, method, path, nil)
			request.Header.Set("Authorization", "Bearer "+credential)
			return api.Do(t, request)
		}
		for _, test := range []struct {
			method, path, credential, limit string
			times                           int
		}{
			{http.MethodGet, "/products/", api.Key, "2", 2},
			{http.MethodPost, deploymentEvents, token, "3", 3},
		} {
			for left := test.times - 1; left >= 0; left-- {
				answer := send(test.method, test.path, test.credential)
				require.Equal(t, http.StatusForbidden, answer.Status)
				require.Equal(t, test.limit, answer.Header.Get("X-RateLimit-Limit"))
				require.Equal(t, strconv.Itoa(left), answer.Header.Get("X-RateLimit-Remaining"))
				require.NotEmpty(t, answer.Header.Get("RateLimit"))
			}
			answer := send(test.method, test.path, test.credential)
			require.Equal(t, http.StatusTooManyRequests, answer.Status)
			require.NotEmpty(t, answer.Header.Get("Retry-After"))
		}
		require.Equal(t, http.StatusTooManyRequests, api.Post(t, deploymentEvents, `{}`).Status, "the key's minute is spent")
	})

	t.Run("BadCredentialsAreLimitedAndGoodOnesPass", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t, testapi.WithLimits(httpapi.Limits{FailuresPerMinute: 5}))
		for i := range 8 {
			answer := api.Get(t, "/products/")
			if i < 5 {
				require.Equal(t, http.StatusUnauthorized, answer.Status)
			} else {
				require.Equal(t, http.StatusTooManyRequests, answer.Status)
				require.NotEmpty(t, answer.Header.Get("Retry-After"))
			}
		}
		api.PostEvent(t, deploymentEvents, deployment(nil))
		require.Equal(t, http.StatusOK, api.As(t, "viewer", http.MethodGet, "/products/", "").Status)
	})

	t.Run("UnknownKeysAreLimitedBeforeTheyAreLookedUp", func(t *testing.T) {
		t.Parallel()
		api := testapi.New(t, testapi.WithLimits(httpapi.Limits{FailuresPerMinute: 5}))
		known := api.Key
		api.PostEvent(t, deploymentEvents, deployment(nil))
		var unknown []string
		for range 8 {
			unknown = append(unknown, api.NewKey(t, "gone"))
		}
		api.Exec(t, "DELETE FROM api_keys WHERE account_id = (SELECT id FROM accounts WHERE slug = 'gone')")
		for i, key := range unknown {
			api.Key = key
			answer := api.Post(t, deploymentEvents, `{}`)
			if i < 5 {
				require.Equal(t, http.StatusUnauthorized, answer.Status)
			} else {
				require.Equal(t, http.StatusTooManyRequests, answer.Status)
				require.NotEmpty(t, answer.Header.Get("Retry-After"))
			}
		}
		api.Key = known
		api.PostEvent(t, deploymentEvents, deployment(map[string]any{"invoke_id": "2"}))
	})

	t.Run("WithRedisAwayRequestsPass", func(t *testing.T) {
		t.Parallel()
		server := testredis.New(t)
		limiter, err := ratelimit.NewShared(t.Context(), server.URL(), slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		t.Cleanup(func() { _ = limiter.Close() })
		api := testapi.New(t, testapi.WithLimits(httpapi.Limits{Limiter: limiter, KeyPerMinute: 2000, AccountPerHour: 2000}))
		post := func(id int) {
			api.PostEvent(t, deploymentEvents, deployment(map[string]any{"invoke_id": strconv.Itoa(id)}))
		}
		client := server.Client(t)
		counted := func() bool { // besides the limiter's own probe
			keys, err := client.Keys(t.Context(), "versioner:rate:*").Result()
			require.NoError(t, err)
			return len(keys) > 1
		}
		sent := 0
		for ; !counted(); sent++ {
			post(sent)
		}
		server.Kill(t)
		for i := range 40 {
			post(sent + i)
		}
	})
}

// TestAddresses sends X-Forwarded-For over a connection from 127.0.0.1, the address of the proxy.
func TestAddresses(t *testing.T) {
	t.Parallel()
	network := func(text string) *net.IPNet {
		_, parsed, err := net.ParseCIDR(text)
		require.NoError(t, err)
		return parsed
	}
	balancers := []*net.IPNet{network("127.0.0.0/8"), network("10.1.0.0/16")}
	for name, test := range map[string]struct {
		proxies   []*net.IPNet
		forwarded []string
		want      string
	}{
		"NoProxies":             {nil, []string{"203.0.113.7"}, "127.0.0.1"},
		"NotFromAProxy":         {[]*net.IPNet{network("10.1.0.0/16")}, []string{"203.0.113.7"}, "127.0.0.1"},
		"FromAProxy":            {balancers, []string{"203.0.113.7"}, "203.0.113.7"},
		"ForgedLeftPart":        {balancers, []string{"198.51.100.1, 203.0.113.7"}, "203.0.113.7"},
		"ForgedHeaderBefore":    {balancers, []string{"198.51.100.1", "203.0.113.7"}, "203.0.113.7"},
		"ForgedProxy":           {balancers, []string{"198.51.100.1, 10.1.0.1, 203.0.113.7"}, "203.0.113.7"},
		"ThroughTwoProxies":     {balancers, []string{"198.51.100.1, 203.0.113.7, 10.1.2.3"}, "203.0.113.7"},
		"PrivateIsNoProxy":      {balancers, []string{"198.51.100.1, 192.168.1.1"}, "192.168.1.1"},
		"IPv6":                  {balancers, []string{"2001:db8::7"}, "2001:db8::7"},
		"WithPort":              {balancers, []string{"198.51.100.1, 203.0.113.7:54321"}, "203.0.113.7"},
		"ProxyWithPort":         {balancers, []string{"203.0.113.7, 10.1.2.3:80"}, "203.0.113.7"},
		"IPv6WithPort":          {balancers, []string{"[2001:db8::7]:443"}, "2001:db8::7"},
		"IPv6InBrackets":        {balancers, []string{"[2001:db8::7]"}, "2001:db8::7"},
		"IPv4InIPv6":            {balancers, []string{"203.0.113.7, ::ffff:10.1.2.3"}, "203.0.113.7"},
		"OnlyProxies":           {balancers, []string{"10.1.0.1, 10.1.2.3"}, "10.1.0.1"},
		"NoHeader":              {balancers, nil, "127.0.0.1"},
		"Nonsense":              {balancers, []string{"203.0.113.7, unknown"}, "127.0.0.1"},
		"NonsenseBehindAClient": {balancers, []string{"unknown, 203.0.113.7"}, "203.0.113.7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := testapi.New(t, testapi.WithProxies(test.proxies...), testapi.WithLimits(httpapi.Limits{FailuresPerMinute: 1}))
			send := func(forwarded []string) int {
				request := api.Request(t, http.MethodGet, "/products/", nil)
				request.Header["X-Forwarded-For"] = forwarded
				return api.Do(t, request).Status
			}
			require.Equal(t, http.StatusUnauthorized, send(test.forwarded))
			require.Contains(t, api.Logs.String(), `"remote_ip":"`+test.want+`"`)
			require.Equal(t, http.StatusTooManyRequests, send(test.forwarded))
			another := http.StatusUnauthorized // an address has a limit of its own
			if test.want == "127.0.0.1" {
				another = http.StatusTooManyRequests
			}
			if len(test.forwarded) > 0 && name != "Nonsense" {
				require.Equal(t, another, send([]string{"203.0.113.99"}))
			}
		})
	}
}
