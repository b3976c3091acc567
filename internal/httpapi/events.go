package httpapi

import (
	"context"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/tracking"
)

type events struct {
	recorder *tracking.Recorder
}

func (h events) CreateDeploymentEvent(ctx context.Context, req apigen.CreateDeploymentEventRequestObject) (apigen.CreateDeploymentEventResponseObject, error) {
	recorded, err := h.recorder.RecordDeployment(ctx, originFrom(ctx), fromAPIDeploymentEvent(*req.Body))
	if err != nil {
		return nil, err
	}
	return apigen.CreateDeploymentEvent200JSONResponse(toAPIRecordedDeployment(recorded)), nil
}

func (h events) CreateBuildEvent(ctx context.Context, req apigen.CreateBuildEventRequestObject) (apigen.CreateBuildEventResponseObject, error) {
	recorded, err := h.recorder.RecordBuild(ctx, originFrom(ctx), fromAPIBuildEvent(*req.Body))
	if err != nil {
		return nil, err
	}
	return apigen.CreateBuildEvent200JSONResponse{BuildRecordedJSONResponse: apigen.BuildRecordedJSONResponse(toAPIRecordedBuild(recorded))}, nil
}

func (h events) CreateVersionEvent(ctx context.Context, req apigen.CreateVersionEventRequestObject) (apigen.CreateVersionEventResponseObject, error) {
	recorded, err := h.recorder.RecordBuild(ctx, originFrom(ctx), fromAPIBuildEvent(*req.Body))
	if err != nil {
		return nil, err
	}
	return apigen.CreateVersionEvent200JSONResponse{BuildRecordedJSONResponse: apigen.BuildRecordedJSONResponse(toAPIRecordedBuild(recorded))}, nil
}

func originFrom(ctx context.Context) tracking.Origin {
	principal := authn.PrincipalFrom(ctx)
	return tracking.Origin{AccountID: principal.AccountID, APIKeyID: principal.APIKeyID, Body: rawBody(ctx), TriedSince: triedSince(ctx)}
}

func fromAPIDeploymentEvent(event apigen.DeploymentEvent) tracking.DeploymentEvent {
	return tracking.DeploymentEvent{
		ProductName:     event.ProductName,
		Version:         event.Version,
		EnvironmentName: valueOr(firstOf(fromNullable(event.EnvironmentName), fromNullable(event.Environment)), ""),
		Status:          event.Status,
		Source: tracking.Source{
			System: fromNullable(event.SourceSystem), BuildNumber: fromNullable(event.BuildNumber), InvokeID: fromNullable(event.InvokeID),
			SHA: fromNullable(event.SCMSHA), Branch: fromNullable(event.SCMBranch), Repository: fromNullable(event.SCMRepository),
		},
		DeployedBy: tracking.Reporter{
			Login: fromNullable(event.DeployedBy), Email: fromNullable(event.DeployedByEmail), Name: fromNullable(event.DeployedByName),
		},
		DeployURL:     firstOf(fromNullable(event.DeployURL), fromNullable(event.BuildURL)),
		CompletedAt:   fromNullable(event.CompletedAt),
		ExtraMetadata: valueOr(fromNullable(event.ExtraMetadata), nil),
	}
}

func fromAPIBuildEvent(event apigen.BuildEvent) tracking.BuildEvent {
	return tracking.BuildEvent{
		ProductName: event.ProductName,
		Version:     event.Version,
		Status:      valueOr(fromNullable(event.Status), string(tracking.Completed)),
		Source: tracking.Source{
			System: fromNullable(event.SourceSystem), BuildNumber: fromNullable(event.BuildNumber), InvokeID: fromNullable(event.InvokeID),
			SHA: fromNullable(event.SCMSHA), Branch: fromNullable(event.SCMBranch), Repository: fromNullable(event.SCMRepository),
		},
		BuiltBy: tracking.Reporter{
			Login: fromNullable(event.BuiltBy), Email: fromNullable(event.BuiltByEmail), Name: fromNullable(event.BuiltByName),
		},
		BuildURL:      fromNullable(event.BuildURL),
		StartedAt:     fromNullable(event.StartedAt),
		CompletedAt:   fromNullable(event.CompletedAt),
		ErrorMessage:  fromNullable(event.ErrorMessage),
		ErrorCode:     fromNullable(event.ErrorCode),
		ExtraMetadata: valueOr(fromNullable(event.ExtraMetadata), nil),
	}
}

func toAPIRecordedDeployment(row dbgen.RecordedDeploymentEvent) apigen.RecordedDeployment {
	return apigen.RecordedDeployment{
		ID:              row.ID,
		DeploymentID:    row.ID,
		EventID:         row.EventID,
		ProductID:       row.ProductID,
		ProductName:     row.ProductName,
		VersionID:       row.VersionID,
		Version:         row.Version,
		EnvironmentID:   row.EnvironmentID,
		EnvironmentName: row.EnvironmentName,
		Status:          apigen.Status(row.Status),
		DeployedAt:      row.DeployedAt.UTC(),
		StartedAt:       toNullableTime(row.StartedAt),
		CompletedAt:     toNullableTime(row.CompletedAt),
		CreatedAt:       row.CreatedAt.UTC(),
		SourceSystem:    toNullable(row.SourceSystem),
		BuildNumber:     toNullable(row.BuildNumber),
		DeployedBy:      toNullable(row.DeployedBy),
		DeployedByName:  toNullable(row.DeployedByName),
		DeployedByEmail: toNullable(row.DeployedByEmail),
		DeployURL:       toNullable(row.DeployURL),
		SCMSHA:          toNullable(row.SCMSHA),
		SCMBranch:       toNullable(row.SCMBranch),
		SCMRepository:   toNullable(row.SCMRepository),
		InvokeID:        toNullable(row.InvokeID),
		SoakTimeHours:   toNullable(row.SoakTimeHours),
		ExtraMetadata:   row.ExtraMetadata,
	}
}

func toAPIRecordedBuild(row dbgen.RecordedBuildEvent) apigen.RecordedBuild {
	return apigen.RecordedBuild{
		ID:            row.ID,
		BuildID:       row.ID,
		EventID:       row.EventID,
		ProductID:     row.ProductID,
		ProductName:   row.ProductName,
		VersionID:     row.VersionID,
		Version:       row.Version,
		BuildNumber:   toNullable(row.BuildNumber),
		Status:        apigen.Status(row.Status),
		BuildURL:      toNullable(row.BuildURL),
		StartedAt:     toNullableTime(row.StartedAt),
		CompletedAt:   toNullableTime(row.CompletedAt),
		CreatedAt:     row.CreatedAt.UTC(),
		SourceSystem:  toNullable(row.SourceSystem),
		SCMSHA:        toNullable(row.SCMSHA),
		SCMBranch:     toNullable(row.SCMBranch),
		SCMRepository: toNullable(row.SCMRepository),
		InvokeID:      toNullable(row.InvokeID),
		BuiltBy:       toNullable(row.BuiltBy),
		BuiltByName:   toNullable(row.BuiltByName),
		BuiltByEmail:  toNullable(row.BuiltByEmail),
		ErrorMessage:  toNullable(row.ErrorMessage),
		ErrorCode:     toNullable(row.ErrorCode),
		ExtraMetadata: row.ExtraMetadata,
	}
}
