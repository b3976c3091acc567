package requests

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/notify"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
)

const (
	// maxApproverEmails is how many users are asked to approve a request.
	maxApproverEmails = 50
	// maxAskedActivations is how many activations of a request in activationPeriod ask them: it can be activated any number of times.
	maxAskedActivations = 3
	activationPeriod    = time.Hour
)

// email sends e-mails about the event of a notification, unless the server has no mailer or the settings of the account turn them off: an activation to the users who may
// decide about an open slot, and a decision to the user who created the request, unless it is their own.
func (c *change) email(ctx context.Context, notification ingest.ChangeNotice) error {
	if !c.hasMailer || !c.settings.ApprovalMails {
		return nil
	}
	email := notify.UserEmail{
		UserID: c.row.CreatedBy, Subject: notification.Summary, Lines: append(slices.Clone(notification.Lines), ingest.NoticeLine{Name: "By", Value: c.actor.Name}),
		URL: notification.URL, URLLabel: notification.URLLabel, Footer: "Versioner sends this because you created the deployment request.",
	}
	switch {
	case c.entry.action == string(Activate):
		return c.emailApprovers(ctx, email)
	case c.entry.slot != nil && c.actor.ID != c.row.CreatedBy:
		return notify.EmailUsers(ctx, c.db, c.row.AccountID, []notify.UserEmail{email})
	}
	return nil
}

// emailApprovers sends an e-mail to the users who may decide about open slots, with the types of theirs.
func (c *change) emailApprovers(ctx context.Context, email notify.UserEmail) error {
	types, isRequired := make(map[string][]string), make(map[string]bool) // by role
	for _, slot := range c.openSlots() {
		for _, role := range approverRoles(slot) {
			types[role], isRequired[role] = append(types[role], slotText(slot)), isRequired[role] || slot.Required
		}
	}
	params := dbgen.ListUsersToEmailParams{AccountID: c.row.AccountID, ExceptIds: c.requestersWithoutApproval(), RowLimit: maxApproverEmails}
	for role := range types {
		params.Roles = append(params.Roles, role)
	}
	if len(params.Roles) == 0 {
		return nil
	}
	activations, err := c.db.CountRequestActivations(ctx, dbgen.CountRequestActivationsParams{
		AccountID: c.row.AccountID, RequestID: c.row.ID, Since: c.now.Add(-activationPeriod), MaxCount: maxAskedActivations + 1,
	})
	if err != nil || activations > maxAskedActivations { // with this one
		return postgres.Classify(err)
	}
	users, err := c.db.ListUsersToEmail(ctx, params)
	if err != nil {
		return postgres.Classify(err)
	}
	emails := make([]notify.UserEmail, len(users))
	for i, user := range users {
		emails[i] = email
		emails[i].UserID, emails[i].Subject = user.ID, "You may approve deployment request "+quote(c.row.Name)
		if isRequired[user.Role] {
			emails[i].Subject = fmt.Sprintf("Deployment request %s waits for your approval", quote(c.row.Name))
		}
		emails[i].Lines = append(slices.Clone(email.Lines), ingest.NoticeLine{Name: "You may approve", Value: strings.Join(types[user.Role], ", ")})
		emails[i].Footer = "Versioner sends this because your role may approve the deployment request."
	}
	return notify.EmailUsers(ctx, c.db, c.row.AccountID, emails)
}

// approverRoles returns the roles whose users may decide about a slot.
func approverRoles(slot dbgen.DeploymentRequestApproval) []string {
	return policy.ApproverRoles(policy.DeploymentRequestRule, []policy.ApprovalType{policy.ApprovalType(slot.ApprovalType)})
}

// requestersWithoutApproval returns the users who may not decide as they have created or activated the request.
func (c *change) requestersWithoutApproval() []uuid.UUID {
	if c.settings.RequesterMayApprove {
		return []uuid.UUID{}
	}
	requesters := []uuid.UUID{c.row.CreatedBy}
	if c.row.ActivatedBy != nil {
		requesters = append(requesters, *c.row.ActivatedBy)
	}
	return requesters
}
