package requests

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/governance"
	"github.com/versioner-io/versioner/internal/postgres"
)

// Comment adds a comment to a request in any status.
func (r Requests) Comment(ctx context.Context, target etag.Ref, text string, actor governance.Actor, now time.Time) (comment dbgen.DeploymentRequestComment, err error) {
	err = r.change(ctx, target, actor, now, func(c *change) error {
		comment, err = c.db.CreateRequestComment(ctx, dbgen.CreateRequestCommentParams{
			AccountID: target.AccountID, ID: uuid.Must(uuid.NewV7()), RequestID: target.ID, Body: strings.TrimSpace(text),
			CreatedBy: actor.ID, CreatedByName: actor.Name, Now: now,
		})
		c.entry = entry{action: "comment", comments: comment.Body}
		return postgres.Classify(err)
	})
	return comment, err
}
