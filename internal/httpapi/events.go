package httpapi

import (
	"context"
	"time"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/httpapi/validation"
	"github.com/versioner-io/versioner/internal/ingest"
)

// EventRecorder records normalized events.
type EventRecorder interface {
	Record(ctx context.Context, event ingest.Event) (ingest.Recorded, error)
}

type events struct{ recorder EventRecorder }

func (h events) CreateDeploymentEvent(ctx context.Context, req apigen.CreateDeploymentEventRequestObject) (apigen.CreateDeploymentEventResponseObject, error) {
	recorded, err := h.record(ctx, fromAPIDeploymentEvent(*req.Body), req.Params.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	return apigen.CreateDeploymentEvent200JSONResponse{
		Body: toAPIRecordedDeployment(recorded), Headers: apigen.CreateDeploymentEvent200ResponseHeaders{IdempotentReplayed: replayed(recorded)},
	}, nil
}

func (h events) CreateBuildEvent(ctx context.Context, req apigen.CreateBuildEventRequestObject) (apigen.CreateBuildEventResponseObject, error) {
	recorded, err := h.recordBuild(ctx, *req.Body, req.Params.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	return apigen.CreateBuildEvent200JSONResponse{BuildRecordedJSONResponse: recorded}, nil
}

func (h events) CreateVersionEvent(ctx context.Context, req apigen.CreateVersionEventRequestObject) (apigen.CreateVersionEventResponseObject, error) {
	recorded, err := h.recordBuild(ctx, *req.Body, req.Params.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	return apigen.CreateVersionEvent200JSONResponse{BuildRecordedJSONResponse: recorded}, nil
}

func (h events) recordBuild(ctx context.Context, body apigen.BuildEvent, key *string) (apigen.BuildRecordedJSONResponse, error) {
	recorded, err := h.record(ctx, fromAPIBuildEvent(body), key)
	if err != nil {
		return apigen.BuildRecordedJSONResponse{}, err
	}
	return apigen.BuildRecordedJSONResponse{
		Body: toAPIRecordedBuild(recorded), Headers: apigen.BuildRecordedResponseHeaders{IdempotentReplayed: replayed(recorded)},
	}, nil
}

// record completes an event by its principal, its body as received and its Idempotency-Key.
func (h events) record(ctx context.Context, event ingest.Event, key *string) (ingest.Recorded, error) {
	principal := authn.PrincipalFrom(ctx)
	event.AccountID, event.APIKeyID = principal.AccountID, principal.APIKeyID
	event.Body, event.IdempotencyKey = validation.RawBody(ctx), valueOr(key, "")
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
		EnvironmentName: valueOr(firstOf(event.EnvironmentName, event.Environment), ""),
		Status:          ingest.Status(event.Status),
		InvokeID:        valueOr(event.InvokeID, ""),
		Details: ingest.Details{
			SourceSystem: valueOr(event.SourceSystem, ""), BuildNumber: valueOr(event.BuildNumber, ""),
			SHA: valueOr(event.SCMSHA, ""), Branch: valueOr(event.SCMBranch, ""), Repository: valueOr(event.SCMRepository, ""),
			URL: valueOr(firstOf(event.DeployURL, event.BuildURL), ""),
			By:  valueOr(event.DeployedBy, ""), ByEmail: valueOr(event.DeployedByEmail, ""), ByName: valueOr(event.DeployedByName, ""),
		},
		CompletedAt: valueOr(event.CompletedAt, time.Time{}),
		Metadata:    valueOr(event.ExtraMetadata, nil),
	}
}

func fromAPIBuildEvent(event apigen.BuildEvent) ingest.Event {
	return ingest.Event{
		Kind:        ingest.Build,
		ProductName: event.ProductName,
		Version:     event.Version,
		Status:      ingest.Status(valueOr(event.Status, apigen.EventStatusCompleted)),
		InvokeID:    valueOr(event.InvokeID, ""),
		Details: ingest.Details{
			SourceSystem: valueOr(event.SourceSystem, ""), BuildNumber: valueOr(event.BuildNumber, ""),
			SHA: valueOr(event.SCMSHA, ""), Branch: valueOr(event.SCMBranch, ""), Repository: valueOr(event.SCMRepository, ""), URL: valueOr(event.BuildURL, ""),
			By: valueOr(event.BuiltBy, ""), ByEmail: valueOr(event.BuiltByEmail, ""), ByName: valueOr(event.BuiltByName, ""),
			ErrorMessage: valueOr(event.ErrorMessage, ""), ErrorCode: valueOr(event.ErrorCode, ""),
		},
		StartedAt:   valueOr(event.StartedAt, time.Time{}),
		CompletedAt: valueOr(event.CompletedAt, time.Time{}),
		Metadata:    valueOr(event.ExtraMetadata, nil),
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
		DeployedAt:      deployedAt(d.OccurredAt, nonZero(d.StartedAt), nonZero(d.CompletedAt)),
		StartedAt:       utc(d.StartedAt),
		CompletedAt:     utc(d.CompletedAt),
		CreatedAt:       d.CreatedAt.UTC(),
		SourceSystem:    nonZero(d.SourceSystem),
		BuildNumber:     nonZero(d.BuildNumber),
		DeployedBy:      nonZero(d.By),
		DeployedByName:  nonZero(d.ByName),
		DeployedByEmail: nonZero(d.ByEmail),
		DeployURL:       nonZero(d.URL),
		SCMSHA:          nonZero(d.SHA),
		SCMBranch:       nonZero(d.Branch),
		SCMRepository:   nonZero(d.Repository),
		InvokeID:        nonZero(d.InvokeID),
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
		BuildNumber:   nonZero(b.BuildNumber),
		Status:        apigen.Status(b.Status),
		BuildURL:      nonZero(b.URL),
		StartedAt:     utc(b.StartedAt),
		CompletedAt:   utc(b.CompletedAt),
		CreatedAt:     b.CreatedAt.UTC(),
		SourceSystem:  nonZero(b.SourceSystem),
		SCMSHA:        nonZero(b.SHA),
		SCMBranch:     nonZero(b.Branch),
		SCMRepository: nonZero(b.Repository),
		InvokeID:      nonZero(b.InvokeID),
		BuiltBy:       nonZero(b.By),
		BuiltByName:   nonZero(b.ByName),
		BuiltByEmail:  nonZero(b.ByEmail),
		ErrorMessage:  nonZero(b.ErrorMessage),
		ErrorCode:     nonZero(b.ErrorCode),
		ExtraMetadata: b.Metadata,
	}
}

// deployedAt is the end; until then the start; until then the time of the first event.
func deployedAt(occurredAt time.Time, startedAt, completedAt *time.Time) time.Time {
	return valueOr(firstOf(completedAt, startedAt), occurredAt).UTC()
}

// utc returns nil for the zero time.
func utc(at time.Time) *time.Time { return nonZero(at.UTC()) }
