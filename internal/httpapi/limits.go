package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/ratelimit"
)

// Limits is how much callers may do. 0 is without a limit.
type Limits struct {
	Limiter           ratelimit.Limiter
	KeyPerMinute      int
	AccountPerHour    int
	UserPerMinute     int
	FailuresPerMinute int // credentials that are not valid, from one address
	PeopleAtOnce      int // requests of people that are worked on at the same time
	PeopleWaiting     int // requests of people that wait for that; more are turned away
}

type limits struct {
	Limits

	failures *ratelimit.Local
}

func newLimits(config Limits) limits { return limits{Limits: config, failures: ratelimit.NewLocal()} }

// middleware takes a request from the caller's quotas, and tells on every answer what is left of the tightest.
func (l limits) middleware(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		principal := authn.PrincipalFrom(c.Request().Context())
		if principal.AccountSlug == "" { // a public operation
			return next(c)
		}
		decision := l.Limiter.Take(c.Request().Context(), l.quotas(principal)...)
		tell(c.Response().Header(), decision, time.Now())
		if !decision.Allowed {
			return apperr.NewRateLimited(decision.RetryAfter)
		}
		return next(c)
	}
}

// quotas are those of contract.md §11. Their subjects name the account, so that those of a request are kept together.
func (l limits) quotas(principal authn.Principal) []ratelimit.Quota {
	account := "{" + principal.AccountID.String() + "}"
	caller := ratelimit.Quota{
		Name: "key", Subject: account + ":key:" + principal.APIKeyID.String(), Limit: limitOr(principal.RequestsPerMinute, l.KeyPerMinute), Window: time.Minute,
	}
	if principal.IsPerson() {
		caller = ratelimit.Quota{Name: "user", Subject: account + ":user:" + principal.UserID.String(), Limit: l.UserPerMinute, Window: time.Minute}
	}
	return []ratelimit.Quota{caller, {Name: "account", Subject: account, Limit: limitOr(principal.RequestsPerHour, l.AccountPerHour), Window: time.Hour}}
}

func limitOr(own *int32, server int) int {
	if own != nil {
		return int(*own)
	}
	return server
}

// tell sets the headers of contract.md §11, and those of the IETF's draft for all quotas beside them.
func tell(header http.Header, decision ratelimit.Decision, now time.Time) {
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

// refusal answers a credential that is not valid: from an address that has tried too many with 429. A valid one has passed
// before, wherever it comes from.
func (l limits) refusal(c echo.Context, err error) error {
	if apperr.CodeOf(err) != apperr.Unauthenticated {
		return err
	}
	quota := ratelimit.Quota{Name: "failures", Subject: network(c.RealIP()), Limit: l.FailuresPerMinute, Window: time.Minute}
	if decision := l.failures.Take(context.WithoutCancel(c.Request().Context()), quota); !decision.Allowed {
		return apperr.NewRateLimited(decision.RetryAfter)
	}
	return err
}

// network is what one caller has: an IPv4 address, or the /64 of an IPv6 address.
func network(address string) string {
	parsed, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if parsed = parsed.Unmap().WithZone(""); parsed.Is4() {
		return parsed.String()
	}
	return netip.PrefixFrom(parsed, 64).Masked().String()
}
