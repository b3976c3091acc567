package authn

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/telemetry"
)

const (
	lastUsedInterval = 10 * time.Second
	relistenBackoff  = 200 * time.Millisecond
	flushTimeout     = 5 * time.Second
)

// APIKeys validates the scheme ApiKeyAuth.
type APIKeys struct {
	pool     *postgres.Pool
	keys     *apikeys.Keys
	logger   *slog.Logger
	metrics  *telemetry.Metrics
	cache    cache[fingerprint, cachedKey]
	caches   []invalidator // cache, and those of users and sessions
	lookUps  *keyLookUps[cachedKey]
	lastUsed apikeys.LastUsed
	observer Observer // nil: none
}

// Observer follows what servers announce to each other.
type Observer interface {
	// Received is called when everything that was announced until asOf has been received.
	Received(asOf time.Time)
	// Wrote is called when a user has changed something in an account, on another server.
	Wrote(account uuid.UUID)
}

// Observe registers an observer. It is called before Run.
func (k *APIKeys) Observe(observer Observer) { k.observer = observer }

type fingerprint [32]byte

// cachedKey is a valid key.
type cachedKey struct {
	principal Principal
	expires   *time.Time
}

// NewAPIKeys returns a validator that looks up at most unknownPerMinute unknown keys of one network, 0 for any number. Without Run
// beside it, it is correct but queries the database each time.
func NewAPIKeys(pool *postgres.Pool, keys *apikeys.Keys, unknownPerMinute int, logger *slog.Logger, metrics *telemetry.Metrics) *APIKeys {
	k := &APIKeys{pool: pool, keys: keys, logger: logger, metrics: metrics, lookUps: newKeyLookUps[cachedKey](unknownPerMinute)}
	k.cache.metrics = metrics
	k.caches = []invalidator{&k.cache}
	keys.OnChange(k.invalidate)
	return k
}

// ApiKeyAuth verifies the request's API key; its RemoteAddr is the client's address. The error is Unauthenticated for any key that is
// not valid, whatever the reason, RateLimited for a client that has sent too many of them, and Unavailable when the database cannot
// be reached.
func (k *APIKeys) ApiKeyAuth(ctx context.Context, r *http.Request) (context.Context, error) {
	text, err := bearer(r.Header)
	if err != nil {
		return ctx, err
	}
	if _, err := apikeys.ParseToken(text); err != nil {
		return ctx, unauthenticated(err)
	}
	key, err := k.verify(ctx, r.RemoteAddr, text)
	if err != nil {
		return ctx, err
	}
	k.lastUsed.Record(key.AccountID, key.APIKeyID, time.Now())
	return WithPrincipal(ctx, key), nil
}

func (k *APIKeys) verify(ctx context.Context, clientAddress, token string) (Principal, error) {
	key := fingerprint(k.keys.HMAC(token))
	found, ok, generation := k.cache.get(key, time.Now())
	if !ok {
		var err error
		if found, err = k.lookUps.do(ctx, clientAddress, key, func(ctx context.Context) (cachedKey, error) { return k.fetchKey(ctx, token) }); err != nil {
			return Principal{}, err
		}
		k.cache.put(key, found, generation, time.Now(), found.principal.APIKeyID, found.principal.AccountID)
	}
	if found.expires != nil && !time.Now().Before(*found.expires) {
		return Principal{}, unauthenticated(errors.New("the API key has expired"))
	}
	return found.principal, nil
}

func (k *APIKeys) fetchKey(ctx context.Context, token string) (cachedKey, error) {
	hashes := k.keys.HMACs(token)
	var row dbgen.GetAPIKeyByHMACRow
	err := postgres.Retry(ctx, func(ctx context.Context) (err error) {
		row, err = k.pool.GetAPIKeyByHMAC(ctx, hashes)
		return err
	})
	switch err = postgres.Classify(err); {
	case apperr.Is(err, apperr.NotFound):
		return cachedKey{}, unauthenticated(errors.New("the API key is unknown"))
	case err != nil:
		return cachedKey{}, err
	case row.APIKey.RevokedAt != nil:
		return cachedKey{}, unauthenticated(errors.New("the API key is revoked"))
	case row.MovingSince != nil:
		return cachedKey{}, ErrMoving
	}
	k.keys.Rehash(ctx, row.APIKey, token)
	return cachedKey{
		principal: Principal{AccountID: row.APIKey.AccountID, AccountSlug: row.AccountSlug, APIKeyID: row.APIKey.ID, Scopes: row.APIKey.Scopes, RequestsPerMinute: row.APIKey.RequestsPerMinute, RequestsPerHour: row.RequestsPerHour},
		expires:   row.APIKey.ExpiresAt,
	}, nil
}

// Run keeps the cache up to date and writes the last use of keys, until ctx ends.
func (k *APIKeys) Run(ctx context.Context) {
	listening := make(chan struct{})
	go func() {
		defer close(listening)
		k.watchRevocations(ctx)
	}()
	k.writeLastUsed(ctx)
	<-listening
}

// invalidate drops what is cached of a key, a user or an account.
func (k *APIKeys) invalidate(id uuid.UUID) {
	for _, cached := range k.caches {
		cached.invalidate(id)
	}
}

// watchRevocations invalidates what is cached of changed keys, users and accounts. While the listener is disconnected the cache is bypassed. An outage is logged once.
func (k *APIKeys) watchRevocations(ctx context.Context) {
	subscribed := true
	k.metrics.ListenerUp(false)
	for ctx.Err() == nil {
		connected := false
		err := k.pool.Listen(ctx, postgres.Listener{
			Channel:  postgres.PrincipalChannel,
			Interval: listenInterval,
			OnHeartbeat: func(asOf time.Time) {
				for _, cached := range k.caches {
					if !connected {
						cached.invalidateAll() // changes during the disconnection are unknown
					}
					cached.extendValidity(asOf)
				}
				if k.observer != nil {
					k.observer.Received(asOf)
				}
				if !connected {
					connected = true
					k.metrics.ListenerUp(true)
				}
				if !subscribed {
					k.logger.InfoContext(ctx, "api key revocation listener connected")
					subscribed = true
				}
			},
			OnNotify: func(payload string) {
				account, isWrite := strings.CutPrefix(payload, postgres.WrotePrefix)
				switch id, err := uuid.Parse(account); {
				case err != nil:
				case !isWrite:
					k.invalidate(id)
				case k.observer != nil:
					k.observer.Wrote(id)
				}
			},
		})
		k.metrics.ListenerUp(false)
		if subscribed && ctx.Err() == nil {
			k.logger.WarnContext(ctx, "api key revocation listener disconnected, caching disabled", "error", err)
			subscribed = false
		}
		select {
		case <-ctx.Done():
		case <-time.After(relistenBackoff):
		}
	}
}

func (k *APIKeys) writeLastUsed(ctx context.Context) {
	ticker := time.NewTicker(lastUsedInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			k.flushLastUsed(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
			defer cancel()
			k.flushLastUsed(last)
			return
		}
	}
}

func (k *APIKeys) flushLastUsed(ctx context.Context) {
	if err := k.lastUsed.Flush(ctx, k.pool.DB); err != nil {
		k.logger.WarnContext(ctx, "api key last_used flush failed, will retry", "error", err)
	}
}

// bearer returns the token of the one Authorization header (RFC 6750). White space around it is ignored: secrets are often
// stored with a line break at their end, which HTTP folds into spaces.
func bearer(header http.Header) (string, error) {
	values := header.Values("Authorization")
	if len(values) != 1 {
		return "", unauthenticated(errors.New("not exactly one Authorization header"))
	}
	value := strings.TrimSpace(values[0])
	end := strings.IndexFunc(value, unicode.IsSpace)
	if end < 0 || !strings.EqualFold(value[:end], "Bearer") {
		return "", unauthenticated(errors.New("no bearer token"))
	}
	return strings.TrimSpace(value[end:]), nil
}

// ErrMoving answers requests of an account that is moved to another database.
var ErrMoving = apperr.New(apperr.Unavailable, "the account is moved to another database")

// unauthenticated returns the same message for every reason.
func unauthenticated(reason error) error {
	return apperr.Wrap(apperr.Unauthenticated, "Invalid authentication credentials", reason)
}
