// Package revision lets two people change one object without losing either's work: each object counts its revisions, and
// a change may say which one it was made for.
package revision

import (
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/internal/apperr"
)

// Target names the object to change, and the entity tag that the caller has seen; an empty one stands for any.
type Target struct {
	AccountID, ID uuid.UUID
	IfMatch       string
}

// Check compares the object's revision with the one that the caller has seen (RFC 9110, 13.1.1). The error is Stale.
func (t Target) Check(revision int64) error {
	if t.IfMatch == "" || t.IfMatch == "*" {
		return nil
	}
	for tag := range strings.SplitSeq(t.IfMatch, ",") {
		if strings.TrimSpace(tag) == ETag(revision) {
			return nil
		}
	}
	return apperr.New(apperr.Stale, "The object has changed since you read it")
}

// ETag is the entity tag of a revision.
func ETag(revision int64) string {
	return `"` + strconv.FormatInt(revision, 10) + `"`
}
