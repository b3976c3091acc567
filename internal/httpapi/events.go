package httpapi

import (
	"context"
	"time"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/httpapi/validation"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/ptr"
)

// EventRecorder records normalized events.
type EventRecorder interface {
	Record(ctx context.Context, event ingest.Event) (ingest.Recorded, error)
}

type eventHandlers struct{ recorder EventRecorder }

func (h eventHandlers) CreateDeploymentEvent(ctx context.Context, req apigen.CreateDeploymentEventRequestObject) (apigen.CreateDeploymentEventResponseObject, error) {
	recorded, err := h.record(ctx, fromAPIDeploymentEvent(*req.Body), req.Params.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	return apigen.CreateDeploymentEvent200JSONResponse{
		Body: toAPIRecordedDeployment(recorded), Headers: apigen.CreateDeploymentEvent200ResponseHeaders{IdempotentReplayed: replayed(recorded)},
	}, nil
}

func (h eventHandlers) CreateBuildEvent(ctx context.Context, req apigen.CreateBuildEventRequestObject) (apigen.CreateBuildEventResponseObject, error) {
	recorded, err := h.recordBuild(ctx, *req.Body, req.Params.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	return apigen.CreateBuildEvent200JSONResponse{BuildRecordedJSONResponse: recorded}, nil
}

func (h eventHandlers) CreateVersionEvent(ctx context.Context, req apigen.CreateVersionEventRequestObject) (apigen.CreateVersionEventResponseObject, error) {
	recorded, err := h.recordBuild(ctx, *req.Body, req.Params.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	return apigen.CreateVersionEvent200JSONResponse{BuildRecordedJSONResponse: recorded}, nil
}

func (h eventHandlers) recordBuild(ctx context.Context, body apigen.BuildEvent, key *string) (apigen.BuildRecordedJSONResponse, error) {
	recorded, err := h.record(ctx, fromAPIBuildEvent(body), key)
	if err != nil {
		return apigen.BuildRecordedJSONResponse{}, err
	}
	return apigen.BuildRecordedJSONResponse{
		Body: toAPIRecordedBuild(recorded), Headers: apigen.BuildRecordedResponseHeaders{IdempotentReplayed: replayed(recorded)},
	}, nil
}

// record completes an event by its principal, its body as received and its Idempotency-Key.
func (h eventHandlers) record(ctx context.Context, event ingest.Event, key *string) (ingest.Recorded, error) {
	principal := authn.PrincipalFrom(ctx)
	event.AccountID, event.APIKeyID = principal.AccountID, principal.APIKeyID
	event.MaySkipPreflight = principal.HasScope(apikeys.SkipPreflightScope)
	event.Body, event.IdempotencyKey = validation.RawBody(ctx), ptr.Or(key, "")
	if err := event.Normalize(); err != nil {
		return ingest.Recorded{}, err
	}
	return h.recorder.Record(ctx, event)
}

func replayed(recorded ingest.Recorded) *string {
	if !recorded.IsReplay {
		return nil
	}
	value := "true"
	return &value
}

func fromAPIDeploymentEvent(event apigen.DeploymentEvent) ingest.Event {
	return ingest.Event{
		Kind:            ingest.Deployment,
		ProductName:     event.ProductName,
		Version:         event.Version,
		EnvironmentName: ptr.Or(firstNonNil(event.EnvironmentName, event.Environment), ""),
		Status:          ingest.Status(event.Status),
		InvokeID:        ptr.Or(event.InvokeID, ""),
		Details: ingest.Details{
			SourceSystem: ptr.Or(event.SourceSystem, ""), BuildNumber: ptr.Or(event.BuildNumber, ""),
			SHA: ptr.Or(event.SCMSHA, ""), Branch: ptr.Or(event.SCMBranch, ""), Repository: ptr.Or(event.SCMRepository, ""),
			URL: ptr.Or(firstNonNil(event.DeployURL, event.BuildURL), ""),
			By:  ptr.Or(event.DeployedBy, ""), ByEmail: ptr.Or(event.DeployedByEmail, ""), ByName: ptr.Or(event.DeployedByName, ""),
		},
		CompletedAt: ptr.Or(event.CompletedAt, time.Time{}),
		Metadata:    ptr.Or(event.ExtraMetadata, nil),

		SkipPreflight: ptr.Or(event.SkipPreflightChecks, false),
	}
}

func fromAPIBuildEvent(event apigen.BuildEvent) ingest.Event {
	return ingest.Event{
		Kind:        ingest.Build,
		ProductName: event.ProductName,
		Version:     event.Version,
		Status:      ingest.Status(ptr.Or(event.Status, apigen.EventStatusCompleted)),
		InvokeID:    ptr.Or(event.InvokeID, ""),
		Details: ingest.Details{
			SourceSystem: ptr.Or(event.SourceSystem, ""), BuildNumber: ptr.Or(event.BuildNumber, ""),
			SHA: ptr.Or(event.SCMSHA, ""), Branch: ptr.Or(event.SCMBranch, ""), Repository: ptr.Or(event.SCMRepository, ""), URL: ptr.Or(event.BuildURL, ""),
			By: ptr.Or(event.BuiltBy, ""), ByEmail: ptr.Or(event.BuiltByEmail, ""), ByName: ptr.Or(event.BuiltByName, ""),
			ErrorMessage: ptr.Or(event.ErrorMessage, ""), ErrorCode: ptr.Or(event.ErrorCode, ""),
		},
		StartedAt:   ptr.Or(event.StartedAt, time.Time{}),
		CompletedAt: ptr.Or(event.CompletedAt, time.Time{}),
		Metadata:    ptr.Or(event.ExtraMetadata, nil),
	}
}

func toAPIRecordedDeployment(recorded ingest.Recorded) apigen.RecordedDeployment {
	d := recorded.Subject
	return apigen.RecordedDeployment{
		ID:              d.ID,
		DeploymentID:    d.ID,
		EventID:         recorded.EventID,
		ProductID:       d.ProductID,
		ProductName:     recorded.ProductName,
		VersionID:       d.VersionID,
		Version:         recorded.Version,
		EnvironmentID:   d.EnvironmentID,
		EnvironmentName: recorded.EnvironmentName,
		Status:          apigen.Status(d.Status),
		DeployedAt:      deployedAt(d.OccurredAt, ptr.NonZero(d.StartedAt), ptr.NonZero(d.CompletedAt)),
		StartedAt:       utc(d.StartedAt),
		CompletedAt:     utc(d.CompletedAt),
		CreatedAt:       d.CreatedAt.UTC(),
		SourceSystem:    ptr.NonZero(d.SourceSystem),
		BuildNumber:     ptr.NonZero(d.BuildNumber),
		DeployedBy:      ptr.NonZero(d.By),
		DeployedByName:  ptr.NonZero(d.ByName),
		DeployedByEmail: ptr.NonZero(d.ByEmail),
		DeployURL:       ptr.NonZero(d.URL),
		SCMSHA:          ptr.NonZero(d.SHA),
		SCMBranch:       ptr.NonZero(d.Branch),
		SCMRepository:   ptr.NonZero(d.Repository),
		InvokeID:        ptr.NonZero(d.InvokeID),
		SoakTimeHours:   d.SoakTimeHours,
		ExtraMetadata:   d.Metadata,
	}
}

func toAPIRecordedBuild(recorded ingest.Recorded) apigen.RecordedBuild {
	b := recorded.Subject
	return apigen.RecordedBuild{
		ID:            b.ID,
		BuildID:       b.ID,
		EventID:       recorded.EventID,
		ProductID:     b.ProductID,
		ProductName:   recorded.ProductName,
		VersionID:     b.VersionID,
		Version:       recorded.Version,
		BuildNumber:   ptr.NonZero(b.BuildNumber),
		Status:        apigen.Status(b.Status),
		BuildURL:      ptr.NonZero(b.URL),
		StartedAt:     utc(b.StartedAt),
		CompletedAt:   utc(b.CompletedAt),
		CreatedAt:     b.CreatedAt.UTC(),
		SourceSystem:  ptr.NonZero(b.SourceSystem),
		SCMSHA:        ptr.NonZero(b.SHA),
		SCMBranch:     ptr.NonZero(b.Branch),
		SCMRepository: ptr.NonZero(b.Repository),
		InvokeID:      ptr.NonZero(b.InvokeID),
		BuiltBy:       ptr.NonZero(b.By),
		BuiltByName:   ptr.NonZero(b.ByName),
		BuiltByEmail:  ptr.NonZero(b.ByEmail),
		ErrorMessage:  ptr.NonZero(b.ErrorMessage),
		ErrorCode:     ptr.NonZero(b.ErrorCode),
		ExtraMetadata: b.Metadata,
	}
}

// deployedAt is the end; until then the start; until then the time of the first event.
func deployedAt(occurredAt time.Time, startedAt, completedAt *time.Time) time.Time {
	return ptr.Or(firstNonNil(completedAt, startedAt), occurredAt).UTC()
}

// utc returns nil for the zero time.
func utc(at time.Time) *time.Time { return ptr.NonZero(at.UTC()) }
