package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/telemetry"
)

// FanOutArgs is the job that notifies subscribers of a batch of events.
type FanOutArgs struct {
	Events []FanOutEvent `json:"events"`
}

// Kind is the job's name in the queue.
func (FanOutArgs) Kind() string { return "fan_out_events" }

// FanOutEvent is an event, with its deployment or build as the batch left it.
type FanOutEvent struct {
	AccountID     uuid.UUID       `json:"account_id"`
	EventID       uuid.UUID       `json:"event_id"`
	EventType     string          `json:"event_type"`
	Status        Status          `json:"status"`
	SubjectID     uuid.UUID       `json:"subject_id"`
	ProductID     uuid.UUID       `json:"product_id"`
	EnvironmentID uuid.UUID       `json:"environment_id"` // nil for builds
	Product       string          `json:"product"`
	Version       string          `json:"version"`
	Environment   string          `json:"environment,omitempty"`
	Details       Details         `json:"details"`
	OccurredAt    time.Time       `json:"occurred_at"`
	TookSeconds   *float64        `json:"took_seconds,omitempty"`
	Metadata      json.RawMessage `json:"metadata,omitempty"` // the keys error and preflight_status alone

	Preflight *PreflightNotice `json:"preflight,omitempty"` // of the events of that name
	Change    *ChangeNotice    `json:"change,omitempty"`    // of an event that is not of a deployment or build
}

// ChangeNotice is the content of the messages about a change of rules, grants, approvals or deployment requests.
type ChangeNotice struct {
	Summary      string          `json:"summary"` // in one line
	Lines        []NoticeLine    `json:"lines"`   // of e-mails and Slack messages
	Body         json.RawMessage `json:"body"`    // of webhooks
	URL          string          `json:"url,omitempty"`
	URLLabel     string          `json:"url_label,omitempty"`
	Products     []string        `json:"products"`     // names and identifiers that filters compare; empty: it concerns all
	Environments []string        `json:"environments"` // the same
}

// NoticeLine is a labelled line of a message.
type NoticeLine struct{ Name, Value string }

// EnqueueChange notifies the subscribers of a change, if there are any, by a job of its transaction.
func EnqueueChange(ctx context.Context, db *postgres.DB, event FanOutEvent) error {
	notified, err := db.ListNotifiedEventTypes(ctx, []uuid.UUID{event.AccountID})
	if err != nil || !slices.Contains(notified, dbgen.ListNotifiedEventTypesRow{AccountID: event.AccountID, EventType: event.EventType}) {
		return postgres.Classify(err)
	}
	encoded, err := json.Marshal(FanOutArgs{Events: []FanOutEvent{event}})
	if err != nil {
		return fmt.Errorf("encode a fan-out job: %w", err)
	}
	return postgres.Classify(db.InsertFanOutJob(ctx, dbgen.InsertFanOutJobParams{Args: encoded, Metadata: telemetry.JobMetadata(ctx)}))
}

// PreflightNotice is what rules have found about a start.
type PreflightNotice struct {
	EventType string     `json:"-"`
	Code      string     `json:"code"`
	Message   string     `json:"message"`
	RetryAt   *time.Time `json:"retry_at,omitempty"` // when a retry may succeed; nil: waiting does not suffice
	// OpenApprovals are the types of approvals that were missing.
	OpenApprovals []policy.ApprovalType `json:"open_approvals,omitempty"`
}

func (w *workingSet) fanOut(r recordedEvent) FanOutEvent {
	subject, pair := w.subjects[r.subjectID], w.names[nameOf(r.event)]
	event := FanOutEvent{
		AccountID: r.event.AccountID, EventID: r.event.ID, EventType: r.event.eventType(), Status: r.event.Status,
		SubjectID: subject.ID, ProductID: subject.ProductID, EnvironmentID: subject.EnvironmentID,
		Product: pair.productName, Version: r.event.Version, Environment: pair.environmentName,
		Details: subject.Details, OccurredAt: r.receivedAt, Metadata: notifiedMetadata(subject.Metadata),
	}
	if r.event.Status.IsTerminal() && !subject.CompletedAt.IsZero() {
		event.OccurredAt = subject.CompletedAt
		if !subject.StartedAt.IsZero() {
			took := subject.CompletedAt.Sub(subject.StartedAt).Seconds()
			event.TookSeconds = &took
		}
	}
	return event
}

// notifiedMetadata returns the part of the metadata that messages contain.
func notifiedMetadata(metadata json.RawMessage) json.RawMessage {
	var part struct {
		Error           json.RawMessage `json:"error,omitempty"`
		PreflightStatus json.RawMessage `json:"preflight_status,omitempty"`
	}
	if json.Unmarshal(metadata, &part) != nil {
		return nil
	}
	encoded, err := json.Marshal(part)
	if err != nil {
		return nil
	}
	return encoded
}

// notifiedType is an event type that preferences of an account name.
type notifiedType struct {
	accountID uuid.UUID
	eventType string
}

type notifiedTypes map[notifiedType]bool
