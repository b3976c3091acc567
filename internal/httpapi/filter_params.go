package httpapi

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/httpapi/validation"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
)

// nameFilters are the filters of a list that give a product and an environment by name or identifier, as identifiers; nil: no filter.
type nameFilters struct {
	product, environment *uuid.UUID

	matchNothing bool // a filter names an unknown product or environment: the list is empty
}

func resolveNames(ctx context.Context, db *postgres.DB, account uuid.UUID, product, environment *string) (filters nameFilters, err error) {
	if product == nil && environment == nil {
		return filters, nil
	}
	productName, _ := ingest.NormalizeName(ptr.Or(product, "")) // an invalid name is not found
	environmentName, _ := ingest.NormalizeName(ptr.Or(environment, ""))
	found, err := db.ResolveFilters(ctx, dbgen.ResolveFiltersParams{
		AccountID: account, ProductID: parseUUID(product), ProductName: productName, EnvironmentID: parseUUID(environment), EnvironmentName: environmentName,
	})
	if product != nil {
		filters.product = &found.ProductID
	}
	if environment != nil {
		filters.environment = &found.EnvironmentID
	}
	filters.matchNothing = (product != nil && found.ProductID == uuid.Nil) || (environment != nil && found.EnvironmentID == uuid.Nil)
	return filters, postgres.Classify(err)
}

// asID is the identifier that a text may be; nil when it is a name.
func parseUUID(text *string) *uuid.UUID {
	if text == nil {
		return nil
	}
	id, ok := validation.ParseUUID(*text)
	if !ok {
		return nil
	}
	return &id
}

// idOrName returns a filter as an identifier if it is one, else as a name.
func idOrName(text *string) (*uuid.UUID, *string) {
	if id := parseUUID(text); id != nil {
		return id, nil
	}
	return nil, text
}

// commitOf is how the database looks for a commit that is given whole or abbreviated.
func normalizeSHA(sha *string) *string {
	if sha == nil {
		return nil
	}
	commit := strings.ToLower(strings.TrimSpace(*sha))
	return &commit
}

// patchText is the change of a text by a merge patch: null empties it, absence leaves it.
func patchText(value nullable.Nullable[string]) *string {
	if !value.IsSpecified() {
		return nil
	}
	text := ptr.Or(fromNullable(value), "")
	return &text
}

// patchObject is the change of an object by a merge patch, null included.
func patchObject(value nullable.Nullable[json.RawMessage]) *json.RawMessage {
	if !value.IsSpecified() {
		return nil
	}
	object := ptr.Or(fromNullable(value), json.RawMessage("null"))
	return &object
}
