// Package idempotency executes a request of a user once per Idempotency-Key: the key, the change and the response are stored in
// one transaction. A concurrent request with the key waits in PostgreSQL for the end of that transaction.
package idempotency

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/keyring"
	"github.com/versioner-io/versioner/internal/postgres"
)

// retention is how long a response is stored.
const retention = 24 * time.Hour

// Request is a request with an Idempotency-Key. Its response belongs to the user and the operation.
type Request struct {
	AccountID, UserID uuid.UUID
	Operation, Key    string
	Hash              []byte // of the target and the body
	// OnSecretReplay is set when the response holds a secret, which is stored encrypted. It runs in the transaction of a replay.
	OnSecretReplay func(tx *postgres.DB, stored Response) error
}

// Response is a stored response.
type Response struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"`
}

var errKeyMismatch = apperr.NewInvalid(apperr.Field{
	Loc: []any{"header", "Idempotency-Key"}, Msg: "Idempotency-Key was already used with a different request", Type: "value_error.idempotency_key",
})

// Store stores responses.
type Store struct{ keys *keyring.Keyring }

// New returns a store that encrypts secrets with the first of the keys of keyring.KeySize, and decrypts them with any.
func New(secrets ...[]byte) (*Store, error) {
	keys, err := keyring.New(secrets...)
	if err != nil {
		return nil, fmt.Errorf("encrypt responses: %w", err)
	}
	return &Store{keys: keys}, nil
}

// Execute runs fn in a transaction and stores its response, or returns the stored response of the same request within 24 hours.
// An error of fn is not stored: its transaction is rolled back, and the key is free. The error is Invalid when the key was used
// with another request. A commit whose answer was lost is looked up: it has stored the response, or it has changed nothing.
func (s *Store) Execute(ctx context.Context, db *postgres.DB, request Request, fn func(tx *postgres.DB) (Response, error)) (replay *Response, err error) {
	err = postgres.Retry(ctx, func(ctx context.Context) error {
		return db.WithTx(ctx, func(tx *postgres.DB) (err error) {
			replay, err = s.execute(ctx, tx, request, fn)
			return err
		})
	})
	return replay, err
}

func (s *Store) execute(ctx context.Context, tx *postgres.DB, request Request, fn func(tx *postgres.DB) (Response, error)) (*Response, error) {
	claimed, err := tx.ClaimIdempotencyKey(ctx, dbgen.ClaimIdempotencyKeyParams{
		AccountID: request.AccountID, UserID: request.UserID, Operation: request.Operation, Key: request.Key,
		RequestHash: request.Hash, Now: time.Now(),
	})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	if claimed == 0 {
		stored, err := s.Replay(ctx, tx, request)
		if err == nil && stored == nil {
			return nil, apperr.New(apperr.Unavailable, "the Idempotency-Key has just expired")
		}
		return stored, err
	}
	response, err := fn(tx)
	if err != nil {
		return nil, err
	}
	return nil, s.save(ctx, tx, request, response)
}

// Replay returns the stored response of a request, and nil when there is none.
func (s *Store) Replay(ctx context.Context, tx *postgres.DB, request Request) (*Response, error) {
	row, err := tx.GetIdempotentResponse(ctx, dbgen.GetIdempotentResponseParams{
		AccountID: request.AccountID, UserID: request.UserID, Operation: request.Operation, Key: request.Key, Since: time.Now().Add(-retention),
	})
	if err = postgres.Classify(err); apperr.Is(err, apperr.NotFound) {
		return nil, nil //nolint:nilnil // no response
	}
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(row.RequestHash, request.Hash) {
		return nil, errKeyMismatch
	}
	text := row.Response
	if row.IsEncrypted {
		if text, err = s.keys.Decrypt(text, request.additionalData()); err != nil {
			return nil, fmt.Errorf("decrypt a response: %w", err)
		}
	}
	var stored Response
	if err := json.Unmarshal(text, &stored); err != nil {
		return nil, fmt.Errorf("decode a response: %w", err)
	}
	if request.OnSecretReplay != nil {
		return &stored, request.OnSecretReplay(tx, stored)
	}
	return &stored, nil
}

func (s *Store) save(ctx context.Context, tx *postgres.DB, request Request, response Response) error {
	text, err := json.Marshal(response)
	if err != nil {
		return fmt.Errorf("encode a response: %w", err)
	}
	isEncrypted := request.OnSecretReplay != nil
	if isEncrypted {
		text = s.keys.Encrypt(text, request.additionalData())
	}
	return postgres.Classify(tx.SaveIdempotentResponse(ctx, dbgen.SaveIdempotentResponseParams{
		AccountID: request.AccountID, UserID: request.UserID, Operation: request.Operation, Key: request.Key,
		Response: text, IsEncrypted: isEncrypted,
	}))
}

// additionalData binds an encrypted response to its row.
func (r Request) additionalData() []byte {
	return fmt.Appendf(nil, "%s %s %s %s", r.AccountID, r.UserID, r.Operation, r.Key)
}
