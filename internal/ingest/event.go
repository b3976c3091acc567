package ingest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/versioner-io/versioner/internal/apperr"
)

// Kind is the kind of subject that an event is about.
type Kind uint8

// The kinds. They follow the same rules; the pair of a build is product and version instead of product and environment.
const (
	Deployment Kind = iota
	Build
)

// String returns the prefix of event types.
func (k Kind) String() string {
	if k == Build {
		return "build"
	}
	return "deployment"
}

// Details is what an event reports about its subject. An empty field is not reported.
type Details struct {
	SourceSystem, BuildNumber string
	SHA, Branch, Repository   string
	URL                       string // of the deployment or build
	By, ByEmail, ByName       string // the person or system that deployed or built
	ErrorMessage, ErrorCode   string // builds only
}

// Event is a build or deployment event of a CI system. Texts may still be padded; Normalize makes it one that Apply accepts.
type Event struct {
	Kind      Kind
	AccountID uuid.UUID
	APIKeyID  uuid.UUID

	ID        uuid.UUID // of the event
	SubjectID uuid.UUID // of the deployment or build, if the event creates one

	ProductName, Version, EnvironmentName string
	EnvironmentType                       EnvironmentType // of the environment, if the event creates it
	SemVerKey                             string          // of the version; empty: it is not SemVer
	Status                                Status

	InvokeID string // the CI run; empty: not reported
	Attempt  int64  // of the run; 0: not reported
	Details
	StartedAt   time.Time // reported for builds; zero: not reported
	CompletedAt time.Time // reported; zero: not reported
	Metadata    json.RawMessage

	SkipPreflight    bool // the client asks to skip the rules
	MaySkipPreflight bool // and its API key may

	Body           json.RawMessage // as received
	Fingerprint    [sha256.Size]byte
	IdempotencyKey string
}

// type of the event for subscribers, such as deployment.completed.
func (e Event) eventType() string { return e.Kind.String() + "." + string(e.Status) }

// keyFingerprint identifies the Idempotency-Key.
func (e Event) keyFingerprint() [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "key %s %s", e.Kind, e.IdempotencyKey))
}

// Normalize trims texts, parses the status and derives the fields that the server sets. The error is Invalid and names every problem.
// Two events are the same when their bodies are equal byte for byte.
func (e *Event) Normalize() error {
	var v validator
	e.ProductName = v.name("product_name", e.ProductName)
	e.Version = v.name("version", e.Version)
	if e.Kind == Deployment {
		e.EnvironmentName = v.name("environment_name", e.EnvironmentName)
		e.EnvironmentType = InferEnvironmentType(e.EnvironmentName)
	}
	e.Status = v.status(string(e.Status))
	for _, text := range []*string{
		&e.InvokeID, &e.SourceSystem, &e.BuildNumber, &e.SHA, &e.Branch, &e.Repository, &e.URL,
		&e.By, &e.ByEmail, &e.ByName, &e.ErrorMessage, &e.ErrorCode,
	} {
		*text = strings.TrimSpace(*text)
	}
	if !e.Status.IsTerminal() {
		e.CompletedAt = time.Time{} // only an end has one
	}
	e.SemVerKey, _ = SemVerKey(e.Version)
	e.Metadata, e.Attempt = v.metadata(e.Metadata)
	e.Fingerprint = sha256.Sum256(append([]byte(e.Kind.String()+"\n"), e.Body...))
	return v.err()
}

// validator collects every problem of an event. The specification has rejected most of them already.
type validator struct {
	fields      []apperr.Field
	internalErr error
}

func (v *validator) err() error {
	if v.internalErr != nil {
		return v.internalErr
	}
	if len(v.fields) > 0 {
		return apperr.NewInvalid(v.fields...)
	}
	return nil
}

func (v *validator) name(field, text string) string {
	name, problem := NormalizeName(text)
	if problem != "" {
		v.fields = append(v.fields, apperr.Field{Loc: []any{"body", field}, Msg: problem, Type: "value_error.name"})
	}
	return name
}

func (v *validator) status(text string) Status {
	status, ok := ParseStatus(text)
	if !ok {
		v.fields = append(v.fields, apperr.Field{Loc: []any{"body", "status"}, Msg: "unknown status", Type: "type_error.enum"})
	}
	return status
}

// metadata drops the server's own key and finds the attempt of the CI run.
func (v *validator) metadata(raw json.RawMessage) (stored json.RawMessage, attempt int64) {
	if len(raw) == 0 || string(raw) == "null" {
		return json.RawMessage("{}"), 0
	}
	var known struct {
		Attempt         jsontext.Value `json:"vi_gh_run_attempt"`
		PreflightStatus jsontext.Value `json:"preflight_status"`
	}
	if err := jsonv2.Unmarshal(raw, &known); err != nil { // matches names exactly and skips the other values
		v.internalErr = fmt.Errorf("parse validated metadata: %w", err)
		return nil, 0
	}
	attempt = parseAttempt(known.Attempt)
	if known.PreflightStatus == nil {
		return raw, attempt
	}
	stored, err := withoutKey(raw, "preflight_status")
	if err != nil {
		v.internalErr = err
	}
	return stored, attempt
}

func withoutKey(raw json.RawMessage, key string) (json.RawMessage, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, fmt.Errorf("parse validated metadata: %w", err)
	}
	delete(object, key)
	stored, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("encode validated metadata: %w", err)
	}
	return stored, nil
}

// parseAttempt parses a positive number, given as such or as text. Anything else comes from an unknown client.
func parseAttempt(raw []byte) int64 {
	number, err := strconv.ParseInt(string(bytes.Trim(raw, `"`)), 10, 64)
	if err != nil || number < 1 {
		return 0
	}
	return number
}
