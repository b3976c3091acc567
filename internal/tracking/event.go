// Package tracking holds the rules by which events become products, versions, builds and deployments: contract.md §3 to
// §7. What one event does to the record it belongs to is in db/migrations, in the functions that record it, because the
// whole of it is one round trip; here is what can be decided beforehand, and how events share transactions.
package tracking

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
)

// Origin is where an event comes from.
type Origin struct {
	AccountID uuid.UUID
	APIKeyID  uuid.UUID
	Body      []byte // as received

	TriedSince *time.Time // since when the same request may have recorded the event already; nil when this is its first try
}

// Reporter is who a CI system says did it.
type Reporter struct {
	Login, Email, Name *string
}

// Source is the code and the CI run that an event tells of.
type Source struct {
	System, BuildNumber, InvokeID *string
	SHA, Branch, Repository       *string
}

// DeploymentEvent is what a CI system tells about a deployment. Texts may still be empty or padded.
type DeploymentEvent struct {
	ProductName, Version, EnvironmentName, Status string

	Source        Source
	DeployedBy    Reporter
	DeployURL     *string
	CompletedAt   *time.Time
	ExtraMetadata json.RawMessage // an object, or nothing
}

// BuildEvent is what a CI system tells about a build.
type BuildEvent struct {
	ProductName, Version, Status string

	Source                 Source
	BuiltBy                Reporter
	BuildURL               *string
	StartedAt, CompletedAt *time.Time
	ErrorMessage           *string
	ErrorCode              *string
	ExtraMetadata          json.RawMessage // an object, or nothing
}

func (e DeploymentEvent) params(origin Origin) (dbgen.RecordDeploymentEventParams, error) {
	var check checker
	product := check.name("product_name", e.ProductName)
	version := check.name("version", e.Version)
	environment := check.name("environment_name", e.EnvironmentName)
	status := check.status(e.Status)
	metadata, attempt := check.metadata(e.ExtraMetadata)
	digest := check.fingerprint("deployment", origin.Body)
	return dbgen.RecordDeploymentEventParams{
		AccountID: origin.AccountID, APIKeyID: origin.APIKeyID, Fingerprint: digest, Body: origin.Body,
		ProductName: product, Version: version, EnvironmentName: environment,
		EnvironmentType: string(InferEnvironmentType(environment)), Status: string(status),
		InvokeID: clean(e.Source.InvokeID), Attempt: attempt, SourceSystem: clean(e.Source.System), BuildNumber: clean(e.Source.BuildNumber),
		SCMSHA: clean(e.Source.SHA), SCMBranch: clean(e.Source.Branch), SCMRepository: clean(e.Source.Repository), DeployURL: clean(e.DeployURL),
		DeployedBy: clean(e.DeployedBy.Login), DeployedByEmail: clean(e.DeployedBy.Email), DeployedByName: clean(e.DeployedBy.Name),
		CompletedAt: cleanTime(e.CompletedAt), ExtraMetadata: metadata,
	}, check.err()
}

func (e BuildEvent) params(origin Origin) (dbgen.RecordBuildEventParams, error) {
	var check checker
	product := check.name("product_name", e.ProductName)
	version := check.name("version", e.Version)
	status := check.status(e.Status)
	metadata, attempt := check.metadata(e.ExtraMetadata)
	digest := check.fingerprint("build", origin.Body)
	return dbgen.RecordBuildEventParams{
		AccountID: origin.AccountID, APIKeyID: origin.APIKeyID, Fingerprint: digest, Body: origin.Body,
		ProductName: product, Version: version, Status: string(status),
		InvokeID: clean(e.Source.InvokeID), Attempt: attempt, SourceSystem: clean(e.Source.System), BuildNumber: clean(e.Source.BuildNumber),
		SCMSHA: clean(e.Source.SHA), SCMBranch: clean(e.Source.Branch), SCMRepository: clean(e.Source.Repository), BuildURL: clean(e.BuildURL),
		BuiltBy: clean(e.BuiltBy.Login), BuiltByEmail: clean(e.BuiltBy.Email), BuiltByName: clean(e.BuiltBy.Name),
		ErrorMessage: clean(e.ErrorMessage), ErrorCode: clean(e.ErrorCode),
		StartedAt: cleanTime(e.StartedAt), CompletedAt: cleanTime(e.CompletedAt), ExtraMetadata: metadata,
	}, check.err()
}

// checker gathers every problem of an event. The specification has refused most of them already.
type checker struct {
	fields []apperr.Field
	fault  error
}

func (c *checker) err() error {
	if c.fault != nil {
		return c.fault
	}
	if len(c.fields) > 0 {
		return apperr.NewInvalid(c.fields...)
	}
	return nil
}

func (c *checker) name(field, text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		c.fields = append(c.fields, apperr.Field{Loc: []any{"body", field}, Msg: "white space is not a name", Type: "value_error.any_str.min_length"})
	}
	return text
}

func (c *checker) status(text string) Status {
	status, ok := ParseStatus(text)
	if !ok {
		c.fields = append(c.fields, apperr.Field{Loc: []any{"body", "status"}, Msg: "unknown status", Type: "type_error.enum"})
	}
	return status
}

// metadata drops what is the server's own, and finds the attempt of the CI run.
func (c *checker) metadata(raw json.RawMessage) (stored json.RawMessage, attempt *int64) {
	if len(raw) == 0 || string(raw) == "null" {
		return json.RawMessage("{}"), nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil {
		c.fault = fmt.Errorf("read validated metadata: %w", err)
		return nil, nil
	}
	delete(object, "preflight_status")
	stored, err := json.Marshal(object)
	if err != nil {
		c.fault = fmt.Errorf("write validated metadata: %w", err)
	}
	return stored, parseAttempt(object["vi_gh_run_attempt"])
}

// parseAttempt reads a positive number, given as such or as text. Anything else comes from a client we do not know.
func parseAttempt(raw json.RawMessage) *int64 {
	number, err := strconv.ParseInt(string(bytes.Trim(raw, `"`)), 10, 64)
	if err != nil || number < 1 {
		return nil
	}
	return &number
}

// fingerprint is the same for two bodies that differ only in the order of their members and in white space.
func (c *checker) fingerprint(operation string, body []byte) []byte {
	canonical := jsontext.Value(bytes.Clone(body))
	if err := canonical.Canonicalize(jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false)); err != nil {
		c.fault = fmt.Errorf("canonicalize a validated body: %w", err)
		return nil
	}
	digest := sha256.New()
	_, _ = fmt.Fprintf(digest, "%s\n", operation)
	_, _ = digest.Write(canonical)
	return digest.Sum(nil)
}

// clean trims a text; an empty one is absent.
func clean(text *string) *string {
	if text == nil {
		return nil
	}
	if trimmed := strings.TrimSpace(*text); trimmed != "" {
		return &trimmed
	}
	return nil
}

// cleanTime takes the zero time, which some clients send for "none", as absent.
func cleanTime(at *time.Time) *time.Time {
	if at == nil || at.IsZero() {
		return nil
	}
	return at
}
