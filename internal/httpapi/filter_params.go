package httpapi

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/httpapi/validation"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/postgres"
)

// finder turns filters that name a product or an environment, or give its identifier, into identifiers.
type finder struct {
	ctx     context.Context //nolint:containedctx // it lives as long as one list is read
	db      *postgres.DB
	nothing bool // a filter names what does not exist: the list is empty
	err     error
}

func (f *finder) product(text *string) *uuid.UUID {
	return f.find(text, func(account uuid.UUID, id *uuid.UUID, name string) (uuid.UUID, error) {
		return f.db.FindProduct(f.ctx, dbgen.FindProductParams{AccountID: account, ID: id, Name: name})
	})
}

func (f *finder) environment(text *string) *uuid.UUID {
	return f.find(text, func(account uuid.UUID, id *uuid.UUID, name string) (uuid.UUID, error) {
		return f.db.FindEnvironment(f.ctx, dbgen.FindEnvironmentParams{AccountID: account, ID: id, Name: name})
	})
}

func (f *finder) find(text *string, query func(account uuid.UUID, id *uuid.UUID, name string) (uuid.UUID, error)) *uuid.UUID {
	if text == nil {
		return nil
	}
	name, _ := ingest.NormalizeName(*text) // an invalid name is not found
	found, err := query(authn.PrincipalFrom(f.ctx).AccountID, asID(text), name)
	switch err = postgres.Classify(err); {
	case err == nil:
		return &found
	case apperr.CodeOf(err) == apperr.NotFound:
		f.nothing = true
	default:
		f.err = err
	}
	return nil
}

// asID is the identifier that a text may be; nil when it is a name.
func asID(text *string) *uuid.UUID {
	if text == nil {
		return nil
	}
	id, ok := validation.ParseUUID(*text)
	if !ok {
		return nil
	}
	return &id
}

// commitOf is how the database looks for a commit that is given whole or abbreviated.
func commitOf(sha *string) *string {
	if sha == nil {
		return nil
	}
	commit := strings.ToLower(strings.TrimSpace(*sha))
	return &commit
}

// patchText is what a merge patch says of a text: null empties it, absence leaves it.
func patchText(value nullable.Nullable[string]) *string {
	if !value.IsSpecified() {
		return nil
	}
	text := valueOr(fromNullable(value), "")
	return &text
}

// patchObject is what a merge patch says of an object, null included.
func patchObject(value nullable.Nullable[json.RawMessage]) *json.RawMessage {
	if !value.IsSpecified() {
		return nil
	}
	object := valueOr(fromNullable(value), json.RawMessage("null"))
	return &object
}
