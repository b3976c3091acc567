// Package catalogue implements changes of products, environments and releases by users: unique names, former names that
// events may still use, revisions, and the audit trail.
package catalogue

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/uuid"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/postgres"
)

// maxMetadata bounds merged metadata, in bytes of compact JSON.
const maxMetadata = 64 << 10

var errNameTaken = apperr.New(apperr.Conflict, "Name already in use")

// mergePatch applies a JSON merge patch (RFC 7396) to metadata; null empties it.
func mergePatch(name string, target *json.RawMessage, patch *json.RawMessage) error {
	if patch == nil {
		return nil
	}
	merged := json.RawMessage("{}")
	if string(bytes.TrimSpace(*patch)) != "null" {
		var err error
		if merged, err = jsonpatch.MergePatch(*target, *patch); err != nil {
			return fmt.Errorf("merge validated metadata: %w", err)
		}
	}
	if len(merged) > maxMetadata {
		return apperr.NewInvalid(apperr.Field{Loc: []any{"body", name}, Msg: fmt.Sprintf("metadata would exceed %d bytes after merge", maxMetadata), Type: "value_error.too_large"})
	}
	if !jsonpatch.Equal(*target, merged) {
		*target = merged
	}
	return nil
}

// normalizeName trims a name; the specification admits no blank one.
func normalizeName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" {
		return "", apperr.NewInvalid(apperr.Field{Loc: []any{"body", "name"}, Msg: "must not be blank", Type: "value_error.any_str.min_length"})
	}
	return name, nil
}

func normalizeNamePatch(name *string) (*string, error) {
	if name == nil {
		return nil, nil //nolint:nilnil // nothing to change
	}
	normalized, err := normalizeName(*name)
	return &normalized, err
}

// checkNames returns an error when an object has more names than the limit. The transaction has locked the object.
func checkNames(object string, count int64, limit int, err error) error {
	if err != nil {
		return postgres.Classify(err)
	}
	if limit > 0 && count > int64(limit) {
		return apperr.NewInvalid(apperr.Field{
			Loc: []any{"body", "name"}, Msg: fmt.Sprintf("the %s has reached its maximum of %d names, former ones included", object, limit), Type: "value_error.quota",
		})
	}
	return nil
}

// metadataOrDefault returns the empty object for metadata that is absent or null.
func metadataOrDefault(metadata *json.RawMessage) json.RawMessage {
	if metadata == nil || string(*metadata) == "null" {
		return json.RawMessage("{}")
	}
	return *metadata
}

// checkNameReserved returns an error when the name belongs to another object than the owner.
func checkNameReserved(owner uuid.UUID, holder uuid.UUID, err error) error {
	if err != nil {
		return postgres.Classify(err)
	}
	if holder != owner {
		return errNameTaken
	}
	return nil
}
