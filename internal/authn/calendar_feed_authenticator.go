package authn

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/calendarfeeds"
)

// CalendarFeeds validates the scheme CalendarFeedToken.
type CalendarFeeds struct {
	feeds   *calendarfeeds.Feeds
	cache   cache[fingerprint, Principal]
	lookUps *keyLookUps[Principal]
}

// NewCalendarFeeds returns a validator whose cache keys.Run keeps up to date. It looks up at most unknownPerMinute unknown tokens of one
// network, 0 for any number.
func NewCalendarFeeds(keys *APIKeys, feeds *calendarfeeds.Feeds, unknownPerMinute int) *CalendarFeeds {
	f := &CalendarFeeds{feeds: feeds, lookUps: newKeyLookUps[Principal](unknownPerMinute)}
	f.cache.metrics = keys.metrics
	keys.caches = append(keys.caches, &f.cache)
	return f
}

// CalendarFeedToken verifies the token that TakeFeedToken has taken from the request's address; its RemoteAddr is the client's address. The
// error is Unauthenticated for any token that is not valid, whatever the reason, RateLimited for a client that has sent too many of
// them, and Unavailable when the database cannot be reached.
func (f *CalendarFeeds) CalendarFeedToken(ctx context.Context, r *http.Request) (context.Context, error) {
	tokens := feedTokensFrom(ctx)
	if len(tokens) != 1 {
		return ctx, unauthenticated(errors.New("not exactly one token of a calendar feed"))
	}
	token := tokens[0]
	key := fingerprint(f.feeds.HMAC(token))
	principal, ok, generation := f.cache.get(key, time.Now())
	if !ok {
		var err error
		if principal, err = f.lookUps.do(ctx, r.RemoteAddr, key, func(ctx context.Context) (Principal, error) { return f.fetch(ctx, token) }); err != nil {
			return ctx, err
		}
		f.cache.put(key, principal, generation, time.Now(), principal.CalendarFeedID, principal.AccountID)
	}
	return WithPrincipal(ctx, principal), nil
}

func (f *CalendarFeeds) fetch(ctx context.Context, token string) (Principal, error) {
	row, err := f.feeds.Find(ctx, token)
	switch {
	case apperr.Is(err, apperr.NotFound):
		return Principal{}, unauthenticated(errors.New("the calendar feed is unknown or revoked"))
	case err != nil:
		return Principal{}, err
	case row.MovingSince != nil:
		return Principal{}, ErrMoving
	}
	return Principal{
		AccountID: row.CalendarFeed.AccountID, AccountSlug: row.AccountSlug, CalendarFeedID: row.CalendarFeed.ID, RequestsPerHour: row.RequestsPerHour,
	}, nil
}

type feedTokensKey struct{}

func feedTokensFrom(ctx context.Context) []string {
	tokens, _ := ctx.Value(feedTokensKey{}).([]string)
	return tokens
}

// TakeFeedToken takes the tokens of calendar feeds out of the address of a request for the calendar, and keeps them in its context: what
// logs, traces or reports the address later cannot contain one. Requests with another path stay as they are.
func TakeFeedToken(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isCalendarPath(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		var tokens, rest []string
		for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
			name, value, _ := strings.Cut(pair, "=")
			if decoded, err := url.QueryUnescape(name); err != nil || decoded != calendarfeeds.TokenParameter {
				rest = append(rest, pair)
				continue
			}
			if decoded, err := url.QueryUnescape(value); err == nil {
				value = decoded
			}
			tokens = append(tokens, value)
		}
		if tokens != nil {
			r = r.Clone(context.WithValue(r.Context(), feedTokensKey{}, tokens))
			r.URL.RawQuery = strings.Join(rest, "&")
			r.RequestURI = r.URL.RequestURI()
		}
		next.ServeHTTP(w, r)
	})
}

// isCalendarPath reports whether the path is that of the calendar, with any slashes.
func isCalendarPath(path string) bool {
	return strings.HasPrefix(path, "/") && strings.Trim(path, "/") == strings.TrimPrefix(calendarfeeds.Path, "/")
}
