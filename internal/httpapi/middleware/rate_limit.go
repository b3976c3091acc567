package middleware

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/ratelimit"
	"github.com/versioner-io/versioner/internal/telemetry"
)

// RateLimits are the quotas of callers, in requests; 0 is without a limit.
type RateLimits struct {
	Limiter           ratelimit.Limiter
	KeyPerMinute      int
	AccountPerHour    int
	UserPerMinute     int
	FailuresPerMinute int // invalid credentials from one network
	Metrics           *telemetry.Metrics
}

// RateLimiter enforces RateLimits.
type RateLimiter struct {
	RateLimits

	failures *ratelimit.Local
}

// NewRateLimiter returns a limiter that counts failed authentication by itself, and all else with limits.Limiter.
func NewRateLimiter(limits RateLimits) RateLimiter {
	return RateLimiter{RateLimits: limits, failures: ratelimit.NewLocal()}
}

// Middleware charges a request to the caller's quotas.
func (l RateLimiter) Middleware(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := l.take(c); err != nil {
			return err
		}
		return next(c)
	}
}

// take charges the caller's quotas and writes into the answer's headers what is left of the tightest.
func (l RateLimiter) take(c echo.Context) error {
	principal := authn.PrincipalFrom(c.Request().Context())
	if principal.AccountSlug == "" { // a public operation
		return nil
	}
	decision := l.Limiter.Take(c.Request().Context(), l.quotas(principal)...)
	l.count(decision)
	writeRateLimitHeaders(c.Response().Header(), decision, time.Now())
	if !decision.Allowed {
		return apperr.NewRateLimited(decision.RetryAfter)
	}
	return nil
}

// count counts an admitted request for each of its quotas, and a rejected one for those that are spent.
func (l RateLimiter) count(decision ratelimit.Decision) {
	for _, state := range decision.States {
		if decision.Allowed || state.Remaining == 0 {
			l.Metrics.RateLimit(state.Name, decision.Allowed)
		}
	}
}

// quotas returns those of the caller and of its account. Their subjects begin with the account, so that a sharded store
// keeps the quotas of one request together.
func (l RateLimiter) quotas(principal authn.Principal) []ratelimit.Quota {
	account := "{" + principal.AccountID.String() + "}"
	caller := ratelimit.Quota{
		Name: "key", Subject: account + ":key:" + principal.APIKeyID.String(), Limit: effectiveLimit(principal.RequestsPerMinute, l.KeyPerMinute), Window: time.Minute,
	}
	if principal.CalendarFeedID != uuid.Nil {
		caller = ratelimit.Quota{Name: "key", Subject: account + ":calendar_feed:" + principal.CalendarFeedID.String(), Limit: l.KeyPerMinute, Window: time.Minute}
	}
	if principal.IsUser() {
		caller = ratelimit.Quota{Name: "user", Subject: account + ":user:" + principal.UserID.String(), Limit: l.UserPerMinute, Window: time.Minute}
	}
	return []ratelimit.Quota{caller, {Name: "account", Subject: account, Limit: effectiveLimit(principal.RequestsPerHour, l.AccountPerHour), Window: time.Hour}}
}

// effectiveLimit returns the caller's own limit, else the server-wide default.
func effectiveLimit(own *int32, serverWide int) int {
	if own != nil {
		return int(*own)
	}
	return serverWide
}

// writeRateLimitHeaders sets the X-RateLimit headers for the tightest quota, and those of the IETF draft for all of them.
func writeRateLimitHeaders(header http.Header, decision ratelimit.Decision, now time.Time) {
	tightest, limited := decision.Tightest()
	if !limited {
		return
	}
	header.Set("X-RateLimit-Limit", strconv.Itoa(tightest.Limit))
	header.Set("X-RateLimit-Remaining", strconv.Itoa(tightest.Remaining))
	header.Set("X-RateLimit-Reset", strconv.FormatInt(now.Add(tightest.Reset+time.Second-1).Unix(), 10))
	var policies, states []string
	for _, state := range decision.States {
		policies = append(policies, fmt.Sprintf("%q;q=%d;w=%d", state.Name, state.Limit, int(state.Window.Seconds())))
		states = append(states, fmt.Sprintf("%q;r=%d;t=%d", state.Name, state.Remaining, int((state.Reset+time.Second-1)/time.Second)))
	}
	header.Set("RateLimit-Policy", strings.Join(policies, ", "))
	header.Set("RateLimit", strings.Join(states, ", "))
}

// limitAuthFailures returns the error of an invalid credential, which is RateLimited once its network has sent too many.
// Valid credentials are not affected, wherever they come from.
func (l RateLimiter) limitAuthFailures(c echo.Context, authErr error) error {
	if apperr.CodeOf(authErr) != apperr.Unauthenticated {
		return authErr
	}
	quota := ratelimit.Quota{Name: "failures", Subject: ratelimit.ClientNetwork(c.RealIP()), Limit: l.FailuresPerMinute, Window: time.Minute}
	decision := l.failures.Take(context.WithoutCancel(c.Request().Context()), quota)
	l.count(decision)
	if !decision.Allowed {
		return apperr.NewRateLimited(decision.RetryAfter)
	}
	return authErr
}
