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
		EnvironmentName: valueOr(firstOf(fromNullable(event.EnvironmentName), fromNullable(event.Environment)), ""),
		Status:          ingest.Status(event.Status),
		InvokeID:        textOr(event.InvokeID),
		Details: ingest.Details{
			SourceSystem: textOr(event.SourceSystem), BuildNumber: textOr(event.BuildNumber),
			SHA: textOr(event.SCMSHA), Branch: textOr(event.SCMBranch), Repository: textOr(event.SCMRepository),
			URL: valueOr(firstOf(fromNullable(event.DeployURL), fromNullable(event.BuildURL)), ""),
			By:  textOr(event.DeployedBy), ByEmail: textOr(event.DeployedByEmail), ByName: textOr(event.DeployedByName),
		},
		CompletedAt: valueOr(fromNullable(event.CompletedAt), time.Time{}),
		Metadata:    valueOr(fromNullable(event.ExtraMetadata), nil),
	}
}

func fromAPIBuildEvent(event apigen.BuildEvent) ingest.Event {
	return ingest.Event{
		Kind:        ingest.Build,
		ProductName: event.ProductName,
		Version:     event.Version,
		Status:      ingest.Status(valueOr(fromNullable(event.Status), string(ingest.Completed))),
		InvokeID:    textOr(event.InvokeID),
		Details: ingest.Details{
			SourceSystem: textOr(event.SourceSystem), BuildNumber: textOr(event.BuildNumber),
			SHA: textOr(event.SCMSHA), Branch: textOr(event.SCMBranch), Repository: textOr(event.SCMRepository), URL: textOr(event.BuildURL),
			By: textOr(event.BuiltBy), ByEmail: textOr(event.BuiltByEmail), ByName: textOr(event.BuiltByName),
			ErrorMessage: textOr(event.ErrorMessage), ErrorCode: textOr(event.ErrorCode),
		},
		StartedAt:   valueOr(fromNullable(event.StartedAt), time.Time{}),
		CompletedAt: valueOr(fromNullable(event.CompletedAt), time.Time{}),
		Metadata:    valueOr(fromNullable(event.ExtraMetadata), nil),
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
		StartedAt:       toNullableTime(nonZero(d.StartedAt)),
		CompletedAt:     toNullableTime(nonZero(d.CompletedAt)),
		CreatedAt:       d.CreatedAt.UTC(),
		SourceSystem:    toNullable(nonZero(d.SourceSystem)),
		BuildNumber:     toNullable(nonZero(d.BuildNumber)),
		DeployedBy:      toNullable(nonZero(d.By)),
		DeployedByName:  toNullable(nonZero(d.ByName)),
		DeployedByEmail: toNullable(nonZero(d.ByEmail)),
		DeployURL:       toNullable(nonZero(d.URL)),
		SCMSHA:          toNullable(nonZero(d.SHA)),
		SCMBranch:       toNullable(nonZero(d.Branch)),
		SCMRepository:   toNullable(nonZero(d.Repository)),
		InvokeID:        toNullable(nonZero(d.InvokeID)),
		SoakTimeHours:   toNullable(d.SoakTimeHours),
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
		BuildNumber:   toNullable(nonZero(b.BuildNumber)),
		Status:        apigen.Status(b.Status),
		BuildURL:      toNullable(nonZero(b.URL)),
		StartedAt:     toNullableTime(nonZero(b.StartedAt)),
		CompletedAt:   toNullableTime(nonZero(b.CompletedAt)),
		CreatedAt:     b.CreatedAt.UTC(),
		SourceSystem:  toNullable(nonZero(b.SourceSystem)),
		SCMSHA:        toNullable(nonZero(b.SHA)),
		SCMBranch:     toNullable(nonZero(b.Branch)),
		SCMRepository: toNullable(nonZero(b.Repository)),
		InvokeID:      toNullable(nonZero(b.InvokeID)),
		BuiltBy:       toNullable(nonZero(b.By)),
		BuiltByName:   toNullable(nonZero(b.ByName)),
		BuiltByEmail:  toNullable(nonZero(b.ByEmail)),
		ErrorMessage:  toNullable(nonZero(b.ErrorMessage)),
		ErrorCode:     toNullable(nonZero(b.ErrorCode)),
		ExtraMetadata: b.Metadata,
	}
}

// deployedAt is the end; until then the start; until then the time of the first event.
func deployedAt(occurredAt time.Time, startedAt, completedAt *time.Time) time.Time {
	return valueOr(firstOf(completedAt, startedAt), occurredAt).UTC()
}
