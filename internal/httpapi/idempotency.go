package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"maps"
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/httpapi/validation"
	"github.com/versioner-io/versioner/internal/idempotency"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
)

// idempotentOperation is a POST of a user: its operation, its Idempotency-Key if it has one, and the object that its path names.
type idempotentOperation struct {
	operation string
	key       *string
	target    uuid.UUID
	// prepare runs before the transaction of a request that has no stored response.
	prepare func(ctx context.Context) error
	// onSecretReplay is set when the response holds a secret (idempotency.Request).
	onSecretReplay func(tx *postgres.DB, stored idempotency.Response) error
}

// once executes a POST, once for its Idempotency-Key: fn runs on the handle of the account, or in the transaction that also stores
// the response. visit writes the response. The response of a request before is returned as a replay, which is an error.
func once[R any](ctx context.Context, store *idempotency.Store, db *postgres.DB, p idempotentOperation, visit func(R, http.ResponseWriter) error, fn func(db *postgres.DB) (R, error)) (response R, err error) {
	principal := authn.PrincipalFrom(ctx)
	request := idempotency.Request{
		AccountID: principal.AccountID, UserID: principal.UserID, Operation: p.operation, Key: ptr.Or(p.key, ""),
		Hash: hashOf(p.target, validation.RawBody(ctx)), OnSecretReplay: p.onSecretReplay,
	}
	if p.prepare != nil {
		if p.key != nil {
			if stored, err := store.Replay(ctx, db, request); err != nil || stored != nil {
				return response, replayOr(stored, err)
			}
		}
		if err := p.prepare(ctx); err != nil {
			return response, err
		}
	}
	if p.key == nil {
		return fn(db)
	}
	stored, err := store.Execute(ctx, db, request, func(tx *postgres.DB) (idempotency.Response, error) {
		if response, err = fn(tx); err != nil {
			return idempotency.Response{}, err
		}
		written := responseBuffer{header: make(http.Header)}
		err := visit(response, &written)
		return idempotency.Response{Status: written.status, Header: written.header, Body: written.body.Bytes()}, err
	})
	return response, replayOr(stored, err)
}

func hashOf(target uuid.UUID, body []byte) []byte {
	hash := sha256.Sum256(append(target[:], body...))
	return hash[:]
}

// replay is the stored response of the same request before. The error handler sends it.
type replay struct{ idempotency.Response }

// Error implements error.
func (replay) Error() string { return "the request was executed before" }

func replayOr(stored *idempotency.Response, err error) error {
	if err != nil || stored == nil {
		return err
	}
	return replay{*stored}
}

func (r replay) send(c echo.Context) error {
	maps.Copy(c.Response().Header(), r.Header)
	c.Response().Header().Set("Idempotent-Replayed", "true")
	return c.Blob(r.Status, r.Header.Get("Content-Type"), r.Body) //nolint:wrapcheck // the client has disconnected
}

// responseBuffer is a response that is stored.
type responseBuffer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (b *responseBuffer) Header() http.Header            { return b.header }
func (b *responseBuffer) WriteHeader(status int)         { b.status = status }
func (b *responseBuffer) Write(text []byte) (int, error) { return b.body.Write(text) } //nolint:wrapcheck // never fails
