// Package etag makes and compares entity tags. Objects have revisions, so that a change can name the revision that it was made for and
// concurrent changes do not overwrite each other; lists are identified by their bodies, so that clients fetch only what has changed.
package etag

import (
	"crypto/sha256"
	"encoding/base64"
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

// OfBody returns the entity tag of a response: equal bodies have equal tags. It is weak, as the body may be sent compressed or not.
func OfBody(body []byte) string {
	hash := sha256.Sum256(body)
	return `W/"` + base64.RawURLEncoding.EncodeToString(hash[:18]) + `"`
}

// IsNoneMatch reports whether a list of entity tags has the tag, so that the client has the response already (RFC 9110, 13.1.2). The
// comparison is weak.
func IsNoneMatch(ifNoneMatch, tag string) bool {
	if strings.TrimSpace(ifNoneMatch) == "*" {
		return true
	}
	tag = strings.TrimPrefix(tag, "W/")
	for candidate := range strings.SplitSeq(ifNoneMatch, ",") {
		if strings.TrimPrefix(strings.TrimSpace(candidate), "W/") == tag {
			return true
		}
	}
	return false
}
