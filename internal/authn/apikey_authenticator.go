package authn

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/postgres"
)

const (
	usageInterval = 10 * time.Second
	relistenPause = 200 * time.Millisecond
	flushTimeout  = 5 * time.Second
)

// APIKeys validates the scheme ApiKeyAuth and manages the keys behind it. Keys are stored as HMAC-SHA256(pepper, token):
// 256 random bits need no slow hash, and a slow hash would be a denial of service.
type APIKeys struct {
	MaxActive int // keys of an account that users create; 0 is unlimited

	pool   *postgres.Pool
	pepper []byte
	logger *slog.Logger
	cache  cache
	usage  usage
}

// NewAPIKeys returns a validator. Without Run beside it, it is correct but asks the database each time.
func NewAPIKeys(pool *postgres.Pool, pepper []byte, logger *slog.Logger) *APIKeys {
	return &APIKeys{pool: pool, pepper: pepper, logger: logger}
}

// ApiKeyAuth verifies the request's API key. The error is Unauthenticated for any key that is not valid, whatever the
// reason, and Unavailable when that cannot be found out.
func (k *APIKeys) ApiKeyAuth(ctx context.Context, r *http.Request) (context.Context, error) {
	text, err := bearer(r.Header)
	if err != nil {
		return ctx, err
	}
	if _, err := parseToken(text); err != nil {
		return ctx, unauthenticated(err)
	}
	key, err := k.verify(ctx, k.fingerprint(text))
	if err != nil {
		return ctx, err
	}
	k.usage.note(keyName{accountID: key.AccountID, keyID: key.APIKeyID}, time.Now())
	return WithPrincipal(ctx, key), nil
}

func (k *APIKeys) verify(ctx context.Context, key fingerprint) (Principal, error) {
	found, ok, generation := k.cache.get(key, time.Now())
	if !ok {
		var err error
		if found, err = k.lookUp(ctx, key); err != nil {
			return Principal{}, err
		}
		k.cache.put(key, found, generation)
	}
	if found.expires != nil && !time.Now().Before(*found.expires) {
		return Principal{}, unauthenticated(errors.New("the API key has expired"))
	}
	return found.principal, nil
}

func (k *APIKeys) lookUp(ctx context.Context, key fingerprint) (verified, error) {
	var row dbgen.GetAPIKeyByHMACRow
	err := postgres.Retry(ctx, postgres.Patience, func(ctx context.Context) (err error) {
		row, err = k.pool.GetAPIKeyByHMAC(ctx, key[:])
		return err
	})
	switch err = postgres.Classify(err); {
	case apperr.CodeOf(err) == apperr.NotFound && err != nil:
		return verified{}, unauthenticated(errors.New("the API key is unknown"))
	case err != nil:
		return verified{}, err
	case row.APIKey.RevokedAt != nil:
		return verified{}, unauthenticated(errors.New("the API key is revoked"))
	}
	return verified{
		principal: Principal{AccountID: row.APIKey.AccountID, AccountSlug: row.AccountSlug, APIKeyID: row.APIKey.ID, RequestsPerMinute: row.APIKey.RequestsPerMinute, RequestsPerHour: row.RequestsPerHour},
		expires:   row.APIKey.ExpiresAt,
		added:     time.Now(),
	}, nil
}

func (k *APIKeys) fingerprint(text string) fingerprint {
	mac := hmac.New(sha256.New, k.pepper)
	_, _ = mac.Write([]byte(text))
	return fingerprint(mac.Sum(nil))
}

// Run keeps the cache true and writes when keys were used, until ctx ends.
func (k *APIKeys) Run(ctx context.Context) {
	listening := make(chan struct{})
	go func() {
		defer close(listening)
		k.listen(ctx)
	}()
	k.writeUsage(ctx)
	<-listening
}

// listen hears of changed keys. While the connection is down the cache is not trusted. An outage is logged once.
func (k *APIKeys) listen(ctx context.Context) {
	hearing := true
	for ctx.Err() == nil {
		connected := false
		err := k.pool.Listen(ctx, postgres.Listener{
			Channel:  "api_key_changed",
			Interval: listenInterval,
			Alive: func(asOf time.Time) {
				if !connected {
					k.cache.forgetAll() // what changed while nobody listened
					connected = true
				}
				if !hearing {
					k.logger.InfoContext(ctx, "changes of API keys are heard again")
					hearing = true
				}
				k.cache.trust(asOf)
			},
			Heard: func(payload string) {
				if id, err := uuid.Parse(payload); err == nil {
					k.cache.forget(id)
				}
			},
		})
		if hearing && ctx.Err() == nil {
			k.logger.WarnContext(ctx, "changes of API keys are not heard: the database is asked for each key", "error", err)
			hearing = false
		}
		select {
		case <-ctx.Done():
		case <-time.After(relistenPause):
		}
	}
}

func (k *APIKeys) writeUsage(ctx context.Context) {
	ticker := time.NewTicker(usageInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			k.flushUsage(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
			defer cancel()
			k.flushUsage(last)
			return
		}
	}
}

func (k *APIKeys) flushUsage(ctx context.Context) {
	if err := k.usage.flush(ctx, k.pool.DB); err != nil {
		k.logger.WarnContext(ctx, "last use of API keys not written, kept for later", "error", err)
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

// unauthenticated hides which of the many reasons it was.
func unauthenticated(reason error) error {
	return apperr.Wrap(apperr.Unauthenticated, "Invalid authentication credentials", reason)
}
