package requests

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/governance"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
)

// pagePath is the path of the dashboard's page of a request, without its identifier.
const pagePath = "/app/deployment-requests/"

// maxNames is how many versions or environments a line of a message names: each approver has a copy.
const maxNames = 20

// maxQuoted is how many characters of a summary the name of a request takes, with its quotes: the rest, with an emoji, has at most 50 of its 150.
const maxQuoted = 100

// eventVerbs has the actions that subscribers are notified of, with the verbs of their event types.
//
//nolint:gochecknoglobals // a constant table
var eventVerbs = map[string]string{
	"create": "created", string(Activate): "activated", string(Deactivate): "deactivated", string(Complete): "completed", string(Cancel): "cancelled",
	string(Approve): "approved", string(Reject): "rejected",
}

// eventBody is the body of the webhooks about a request.
type eventBody struct {
	EventType        string    `json:"event_type"`
	OccurredAt       time.Time `json:"occurred_at"`
	ID               uuid.UUID `json:"dr_id"`
	Name             string    `json:"dr_name"`
	URL              string    `json:"dr_url"`
	Status           string    `json:"status"`
	EnvironmentNames []string  `json:"environment_names"`
	Actor            *string   `json:"actor"` // nil: the server

	*decisionBody // of approved and rejected slots
}

type decisionBody struct {
	ApprovalType string  `json:"approval_type"`
	ApproverRole string  `json:"approver_role"`
	SlotStatus   string  `json:"slot_status"`
	Comments     *string `json:"comments"`
}

// notify notifies subscribers, and by e-mail approvers and the creator, of what has happened to the request. A decision that repeats the one in its slot is no event.
func (c *change) notify(ctx context.Context) error {
	verb, isEvent := eventVerbs[c.entry.action]
	slot := c.entry.slot
	if !isEvent || slot != nil && slot.Status == c.entry.slotStatusBefore {
		return nil
	}
	versions, err := c.db.ListRequestVersions(ctx, dbgen.ListRequestVersionsParams{AccountID: c.row.AccountID, RequestID: c.row.ID, RowLimit: maxVersions})
	if err != nil {
		return postgres.Classify(err)
	}
	environments := make([]string, len(c.environments))
	for i, environment := range c.environments {
		environments[i] = environment.Name
	}
	body := eventBody{
		EventType: "dr." + verb, OccurredAt: c.now.UTC().Truncate(time.Microsecond), ID: c.row.ID, Name: c.row.Name, URL: c.publicURL + pagePath + c.row.ID.String(),
		Status: c.row.Status, EnvironmentNames: environments, Actor: ptr.NonZero(c.actor.Name),
	}
	notice := ingest.ChangeNotice{
		Summary: fmt.Sprintf("Deployment request %s was %s", quote(c.row.Name), verb), Lines: c.lines(versions), URL: body.URL, URLLabel: "Open the request",
	}
	if slot != nil {
		body.decisionBody = &decisionBody{
			ApprovalType: slot.ApprovalType, ApproverRole: ptr.OrZero(slot.ApproverRole), SlotStatus: slot.Status, Comments: slot.Comments,
		}
		notice.Summary = fmt.Sprintf("Deployment request %s: %s %s", quote(c.row.Name), policy.ApprovalType(slot.ApprovalType).Words(), verb)
		notice.Lines = append(notice.Lines, ingest.NoticeLine{Name: "Comments", Value: ptr.OrZero(slot.Comments)})
	}
	if err := c.loadNames(ctx, &notice); err != nil {
		return err
	}
	if err := c.email(ctx, notice); err != nil {
		return err
	}
	event := ingest.FanOutEvent{AccountID: c.row.AccountID, EventType: body.EventType, OccurredAt: c.now}
	return governance.EnqueueChange(ctx, c.db, event, notice, body, body.Actor)
}

// quote quotes a name in a summary, and shortens it so that the header of a Slack message has room for the rest.
func quote(name string) string {
	runes := []rune(name)
	for size := len(runes); ; size-- {
		short := name
		if size < len(runes) {
			short = string(runes[:size]) + "…"
		}
		if quoted := strconv.Quote(short); utf8.RuneCountInString(quoted) <= maxQuoted {
			return quoted
		}
	}
}

// lines returns the labelled lines of messages. A completed or cancelled request has no open approvals.
func (c *change) lines(versions []dbgen.VersionDetail) []ingest.NoticeLine {
	open := joinNames(c.openSlots(), slotText)
	if c.state.Status == policy.RequestCompleted || c.state.Status == policy.RequestCancelled {
		open = ""
	}
	return []ingest.NoticeLine{
		{Name: "Request", Value: c.row.Name},
		{Name: "Status", Value: strings.ReplaceAll(c.row.Status, "_", " ")},
		{Name: "Versions", Value: joinNames(versions, nameOf)},
		{Name: "Environments", Value: joinNames(c.environments, func(row dbgen.ListRequestEnvironmentsRow) string { return row.Name })},
		{Name: "Open approvals", Value: open},
	}
}

// openSlots returns the slots without a decision.
func (c *change) openSlots() (open []dbgen.DeploymentRequestApproval) {
	for _, slot := range c.slots {
		if slot.Status == SlotPending {
			open = append(open, slot)
		}
	}
	return open
}

func slotText(slot dbgen.DeploymentRequestApproval) string {
	words := policy.ApprovalType(slot.ApprovalType).Words()
	if slot.Required {
		return words
	}
	return words + " (optional)"
}

// joinNames lists up to maxNames names, and counts the others.
func joinNames[T any](list []T, name func(T) string) string {
	names := make([]string, min(len(list), maxNames))
	for i := range names {
		names[i] = name(list[i])
	}
	text := strings.Join(names, ", ")
	if more := len(list) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// loadNames reads what filters of subscribers compare: every name and the identifiers of the request's products and environments, deleted ones too:
// without them the message would concern all.
func (c *change) loadNames(ctx context.Context, notice *ingest.ChangeNotice) error {
	products, err := c.db.ListNamesOfRequestProducts(ctx, dbgen.ListNamesOfRequestProductsParams{AccountID: c.row.AccountID, RequestID: c.row.ID})
	if err != nil {
		return postgres.Classify(err)
	}
	for _, row := range products {
		notice.Products = append(notice.Products, row.ID.String(), row.Name)
	}
	environments, err := c.db.ListNamesOfRequestEnvironments(ctx, dbgen.ListNamesOfRequestEnvironmentsParams{AccountID: c.row.AccountID, RequestID: c.row.ID})
	for _, row := range environments {
		notice.Environments = append(notice.Environments, row.ID.String(), row.Name)
	}
	return postgres.Classify(err)
}
