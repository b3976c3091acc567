package httpapi

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/httpapi/validation"
	"github.com/versioner-io/versioner/internal/logctx"
	"github.com/versioner-io/versioner/internal/postgres"
)

const (
	idempotencyKey = "Idempotency-Key"
	replayedHeader = "Idempotent-Replayed"

	twinPause    = 25 * time.Millisecond // between looks at what the first of two requests is doing
	twinPatience = 40 * time.Second      // longer than a claim lasts whose server has died

	callPatience    = 20 * time.Second // longer than a call takes; with what the claim took, no longer than it lasts
	partingPatience = time.Second      // for what is written at the end of a request, which can do without
)

// idempotency executes a POST of a user with an Idempotency-Key once: the same request again, within 24 hours, gets the
// response of the first. The change and its response are stored in one transaction. A test message, which calls out, may be
// sent again when a server dies. Keys belong to their user; those of events are internal/ingest's.
type idempotency struct {
	db   *postgres.TenantPool
	aead cipher.AEAD
}

// newIdempotency takes a key of 32 bytes to seal answers with.
func newIdempotency(db *postgres.TenantPool, key []byte) (idempotency, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return idempotency{}, fmt.Errorf("seal answers: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return idempotency{}, fmt.Errorf("seal answers: %w", err)
	}
	return idempotency{db: db, aead: aead}, nil
}

// claim names a request.
type claim struct {
	dbgen.GetIdempotencyKeyParams

	hash  []byte
	id    uuid.UUID // distinguishes the claim from those of concurrent duplicates
	until time.Time // how long the request waits, for a database that is away above all
}

// patience is what is left of the time to wait for the database, but a moment at least for what makes the request whole.
func (k claim) patience() time.Duration { return max(time.Until(k.until), partingPatience) }

func (k claim) name() []byte {
	return fmt.Appendf(nil, "%s %s %s %s", k.AccountID, k.UserID, k.Operation, k.Key)
}

// answer is what was answered.
type answer struct {
	Status      int    `json:"status"`
	ContentType string `json:"content_type"`
	ETag        string `json:"etag,omitempty"`
	Location    string `json:"location,omitempty"`
	Body        []byte `json:"body"`
}

func (i idempotency) middleware(operation string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			key := c.Request().Header.Get(idempotencyKey)
			ctx := c.Request().Context()
			principal := authn.PrincipalFrom(ctx)
			if key == "" || c.Request().Method != http.MethodPost || !principal.IsUser() {
				return next(c)
			}
			request := claim{
				GetIdempotencyKeyParams: dbgen.GetIdempotencyKeyParams{
					AccountID: principal.AccountID, UserID: principal.UserID, Operation: operation, Key: key,
				},
				hash: hashOf(logctx.From(ctx).Path, c.Request().URL.RawQuery, validation.RawBody(ctx)),
				id:   uuid.New(),
			}
			former, err := i.claim(ctx, &request)
			switch {
			case err != nil:
				return err
			case former != nil:
				c.Response().Header().Set(replayedHeader, "true")
				return former.send(c)
			case callsOut(operation):
				request.until = time.Now().Add(callPatience)
				return i.actOnce(c, request, next)
			default:
				return i.changeOnce(c, request, next)
			}
		}
	}
}

// callsOut tells whether an operation waits for somebody else's server. It must not hold a connection to the database
// meanwhile.
func callsOut(operation string) bool { return operation == "testNotificationChannel" }

func hashOf(path, query string, body []byte) []byte {
	if query != "" {
		path += "?" + query
	}
	hash := sha256.Sum256(append([]byte(path+"\n"), body...))
	return hash[:]
}

var errReused = apperr.NewInvalid(apperr.Field{
	Loc: []any{"header", idempotencyKey}, Msg: "it named another request in the last 24 hours: use a new one", Type: "value_error.idempotency_key",
})

// claim returns the answer of the same request before, or nil when this one is to be carried out. It waits for a twin that
// is under way.
func (i idempotency) claim(ctx context.Context, request *claim) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, twinPatience)
	defer cancel()
	for {
		// A caller who leaves does not leave open whether there is a claim.
		former, isUnderWay, err := i.tryClaim(context.WithoutCancel(ctx), request)
		if !isUnderWay {
			return former, err
		}
		select {
		case <-time.After(twinPause):
		case <-ctx.Done():
			return nil, apperr.Wrap(apperr.Unavailable, "the first request of this name is still under way", ctx.Err())
		}
	}
}

// tryClaim claims the name, finds the answer of the request before, or that a twin is under way. From here on the request
// waits for a database that is away as long as one without a name does.
func (i idempotency) tryClaim(ctx context.Context, request *claim) (former *answer, isUnderWay bool, err error) {
	request.until = time.Now().Add(postgres.Patience)
	err = postgres.Retry(ctx, postgres.Patience, func(ctx context.Context) error {
		_, err := i.db.Tenant(request.AccountID).ClaimIdempotencyKey(ctx, dbgen.ClaimIdempotencyKeyParams{
			AccountID: request.AccountID, UserID: request.UserID, Operation: request.Operation, Key: request.Key,
			RequestHash: request.hash, ClaimID: request.id, Now: time.Now(),
		})
		if err == nil {
			return nil
		}
		if err := postgres.Classify(err); apperr.CodeOf(err) != apperr.NotFound {
			return err
		}
		row, err := i.db.Tenant(request.AccountID).GetIdempotencyKey(ctx, request.GetIdempotencyKeyParams)
		switch err := postgres.Classify(err); {
		case err != nil && apperr.CodeOf(err) != apperr.NotFound:
			return err
		case err == nil && !bytes.Equal(row.RequestHash, request.hash):
			return errReused
		case err == nil && row.EncryptedResponse != nil:
			former, err = i.open(*request, row.EncryptedResponse)
			return err
		}
		isUnderWay = true // or was released meanwhile
		return nil
	})
	return former, isUnderWay, postgres.Classify(err)
}

// changeOnce carries out what a person asked for and keeps the answer, in one transaction.
func (i idempotency) changeOnce(c echo.Context, request claim, next echo.HandlerFunc) (err error) {
	ctx := c.Request().Context()
	isKept := false
	defer func() { // after a panic, too
		if !isKept {
			err = i.release(ctx, request, err)
		}
	}()
	var got answer
	err = i.db.Tenant(request.AccountID).Share(ctx, func(ctx context.Context, db *postgres.DB) (err error) {
		c.SetRequest(c.Request().WithContext(ctx))
		if got, err = capture(c, next); err != nil {
			return err
		}
		return i.keep(ctx, db, request, got)
	})
	if err != nil {
		return postgres.Classify(err) // of the transaction; the handler's own are what they are
	}
	isKept = true
	return got.send(c)
}

// actOnce executes what calls out, and then stores the response: also for a client that has disconnected, and may come back
// for it.
func (i idempotency) actOnce(c echo.Context, request claim, next echo.HandlerFunc) (err error) {
	ctx, cancel := context.WithDeadline(context.WithoutCancel(c.Request().Context()), request.until)
	defer cancel()
	isKept := false
	defer func() { // after a panic, too
		if !isKept {
			err = i.release(ctx, request, err)
		}
	}()
	c.SetRequest(c.Request().WithContext(ctx))
	got, err := capture(c, next)
	if err != nil {
		return err
	}
	err = postgres.Retry(context.WithoutCancel(ctx), request.patience(), func(ctx context.Context) error { return i.keep(ctx, i.db.Tenant(request.AccountID), request, got) })
	if err != nil {
		return err
	}
	isKept = true
	return got.send(c)
}

func (i idempotency) keep(ctx context.Context, db *postgres.DB, request claim, got answer) error {
	text, err := json.Marshal(got)
	if err != nil {
		return fmt.Errorf("keep an answer: %w", err)
	}
	kept, err := db.SaveIdempotentResponse(ctx, dbgen.SaveIdempotentResponseParams{
		AccountID: request.AccountID, UserID: request.UserID, Operation: request.Operation, Key: request.Key, ClaimID: request.id,
		EncryptedResponse: i.aead.Seal(nil, nil, text, request.name()), //nolint:gosec // the nonce is random, and made inside
	})
	if err == nil && kept == 0 {
		return apperr.Wrap(apperr.Unavailable, "too slow", errors.New("the claim was taken over"))
	}
	return postgres.Classify(err)
}

func (i idempotency) open(request claim, sealed []byte) (*answer, error) {
	text, err := i.aead.Open(nil, nil, sealed, request.name())
	if err != nil {
		return nil, fmt.Errorf("open an answer: %w", err)
	}
	var former answer
	if err := json.Unmarshal(text, &former); err != nil {
		return nil, fmt.Errorf("read an answer: %w", err)
	}
	return &former, nil
}

// release frees the name after an error: nothing was done.
func (i idempotency) release(ctx context.Context, request claim, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), partingPatience)
	defer cancel()
	err := i.db.Tenant(request.AccountID).AbandonIdempotencyKey(ctx, dbgen.AbandonIdempotencyKeyParams{
		AccountID: request.AccountID, UserID: request.UserID, Operation: request.Operation, Key: request.Key, ClaimID: request.id,
	})
	if err != nil { // the claim ends by itself
		return errors.Join(cause, postgres.Classify(err))
	}
	return cause
}

// capture runs a handler and holds its answer back.
func capture(c echo.Context, next echo.HandlerFunc) (answer, error) {
	response := c.Response()
	before := *response
	defer func() { *response = before }() // after a panic, too: its answer is not held back
	held := &heldResponse{header: response.Header()}
	response.Writer = held
	err := next(c)
	return answer{
		Status: held.status, ContentType: held.header.Get("Content-Type"), ETag: held.header.Get("ETag"), Location: held.header.Get("Location"), Body: held.body.Bytes(),
	}, err
}

// heldResponse is a response that is not sent yet.
type heldResponse struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *heldResponse) Header() http.Header            { return h.header }
func (h *heldResponse) WriteHeader(status int)         { h.status = status }
func (h *heldResponse) Write(text []byte) (int, error) { return h.body.Write(text) } //nolint:wrapcheck // never fails

func (a answer) send(c echo.Context) error {
	if a.ETag != "" {
		c.Response().Header().Set("ETag", a.ETag)
	}
	if a.Location != "" {
		c.Response().Header().Set("Location", a.Location)
	}
	return c.Blob(a.Status, a.ContentType, a.Body) //nolint:wrapcheck // the caller has left
}
