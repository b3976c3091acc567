// Package etag implements optimistic concurrency: each object has a revision, and a change may name the revision that it was made
// for, so that concurrent changes of two users do not overwrite each other.
package etag

import (
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/internal/apperr"
)

// Ref names the object to change, and the entity tag that the caller has seen; an empty one stands for any.
type Ref struct {
	AccountID, ID uuid.UUID
	IfMatch       string
}

// Verify compares the object's revision with the one that the caller has seen (RFC 9110, 13.1.1). The error is Stale.
func (r Ref) Verify(revision int64) error {
	if r.IfMatch == "" || r.IfMatch == "*" {
		return nil
	}
	for tag := range strings.SplitSeq(r.IfMatch, ",") {
		if strings.TrimSpace(tag) == Of(revision) {
			return nil
		}
	}
	return apperr.New(apperr.PreconditionFailed, "The object has changed since you read it")
}

// Of returns the entity tag of a revision.
func Of(revision int64) string {
	return `"` + strconv.FormatInt(revision, 10) + `"`
}
