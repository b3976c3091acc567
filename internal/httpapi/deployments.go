package httpapi

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
)

type deploymentHandlers struct {
	db      *postgres.TenantPool
	cursors cursorCodec
	clock   func() time.Time
}

func (h deploymentHandlers) ListDeployments(ctx context.Context, req apigen.ListDeploymentsRequestObject) (apigen.ListDeploymentsResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	names, err := resolveNames(ctx, h.db.Tenant(account), account, req.Params.Product, req.Params.Environment)
	if err != nil {
		return nil, err
	}
	versionID, version := idOrName(req.Params.Version)
	items, next, err := paginate(ctx, h.db, h.cursors, page[dbgen.DeploymentDetail, apigen.Deployment]{
		scope: listScope{account: account, operation: "listDeployments", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]dbgen.DeploymentDetail, error) {
			if names.matchNothing {
				return nil, nil
			}
			unfinished, err := unfinishedDeployments(ctx, db, account, names, req.Params.Status)
			if err != nil {
				return nil, err
			}
			rows, err := db.ListDeployments(ctx, dbgen.ListDeploymentsParams{
				AccountID: account, ProductID: names.product, EnvironmentID: names.environment, VersionID: versionID, Version: version,
				Status: (*string)(req.Params.Status), Unfinished: unfinished, Commit: normalizeSHA(req.Params.SCMSHA), Since: req.Params.Since, Until: req.Params.Until,
				AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit,
			})
			return rows, postgres.Classify(err)
		},
		at:   func(row dbgen.DeploymentDetail) keyset { return keyset{at: row.OccurredAt, id: row.ID} },
		item: func(row dbgen.DeploymentDetail) apigen.Deployment { return toAPIDeployment(row, h.clock()) },
	})
	return apigen.ListDeployments200JSONResponse{Items: items, NextCursor: next}, err
}

// unfinishedDeployments returns the deployments among which those of an unfinished status are; nil: they may be anywhere, as the status is
// another one, or as a pair has more unfinished deployments than it keeps track of.
func unfinishedDeployments(ctx context.Context, db *postgres.DB, account uuid.UUID, names nameFilters, status *apigen.Status) ([]uuid.UUID, error) {
	if status == nil || ingest.Status(*status).IsTerminal() {
		return nil, nil
	}
	pairs, err := db.ListUnfinishedDeployments(ctx, dbgen.ListUnfinishedDeploymentsParams{
		AccountID: account, ProductID: names.product, EnvironmentID: names.environment,
	})
	unfinished := []uuid.UUID{}
	for _, ids := range pairs {
		if len(ids) >= ingest.MaxOpen {
			return nil, nil
		}
		unfinished = append(unfinished, ids...)
	}
	return unfinished, postgres.Classify(err)
}

func (h deploymentHandlers) GetDeployment(ctx context.Context, req apigen.GetDeploymentRequestObject) (apigen.GetDeploymentResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	row, err := h.db.Tenant(account).GetDeployment(ctx, dbgen.GetDeploymentParams{AccountID: account, ID: req.ID})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	return apigen.GetDeployment200JSONResponse(toAPIDeployment(row, h.clock())), nil
}

func (h deploymentHandlers) GetDeploymentNeighbours(ctx context.Context, req apigen.GetDeploymentNeighboursRequestObject) (apigen.GetDeploymentNeighboursResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	row, err := h.db.Tenant(account).GetDeploymentNeighbours(ctx, dbgen.GetDeploymentNeighboursParams{AccountID: account, ID: req.ID})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	return apigen.GetDeploymentNeighbours200JSONResponse{PreviousDeploymentID: toNullable(row.PreviousID), NextDeploymentID: toNullable(row.NextID)}, nil
}

func (h deploymentHandlers) ListEnvironmentState(ctx context.Context, req apigen.ListEnvironmentStateRequestObject) (apigen.ListEnvironmentStateResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	names, err := resolveNames(ctx, h.db.Tenant(account), account, req.Params.Product, req.Params.Environment)
	if err != nil {
		return nil, err
	}
	now := h.clock()
	items, next, err := paginate(ctx, h.db, h.cursors, page[environmentStateRow, apigen.EnvironmentState]{
		scope: listScope{account: account, operation: "listEnvironmentState", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]environmentStateRow, error) {
			if names.matchNothing {
				return nil, nil
			}
			return environmentStates(ctx, db, dbgen.ListEnvironmentStateParams{
				AccountID: account, ProductID: names.product, EnvironmentID: names.environment, Type: (*string)(req.Params.Type),
				AfterProductID: after.firstID(), AfterEnvironmentID: after.lastID(), RowLimit: limit,
			}, now)
		},
		at: func(row environmentStateRow) keyset {
			return keyset{first: row.ProductID, id: row.EnvironmentID}
		},
		item: func(row environmentStateRow) apigen.EnvironmentState { return toAPIEnvironmentState(row, now) },
	})
	return apigen.ListEnvironmentState200JSONResponse{Items: items, NextCursor: next}, err
}

func (h deploymentHandlers) ListDeploymentEvents(ctx context.Context, req apigen.ListDeploymentEventsRequestObject) (apigen.ListDeploymentEventsResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	if _, err := h.db.Tenant(account).GetDeployment(ctx, dbgen.GetDeploymentParams{AccountID: account, ID: req.ID}); err != nil {
		return nil, postgres.Classify(err)
	}
	items, next, err := paginate(ctx, h.db, h.cursors, page[dbgen.ListDeploymentEventsRow, apigen.RecordedEvent]{
		scope: listScope{account: account, operation: "listDeploymentEvents", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]dbgen.ListDeploymentEventsRow, error) {
			rows, err := db.ListDeploymentEvents(ctx, dbgen.ListDeploymentEventsParams{
				AccountID: account, DeploymentID: &req.ID, AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit,
			})
			return rows, postgres.Classify(err)
		},
		at:   func(row dbgen.ListDeploymentEventsRow) keyset { return keyset{at: row.ReceivedAt, id: row.ID} },
		item: toAPIEvent,
	})
	return apigen.ListDeploymentEvents200JSONResponse{Items: items, NextCursor: next}, err
}

// environmentStateRow is a row with the deployment that is in progress and the newest one, if any.
type environmentStateRow struct {
	dbgen.ListEnvironmentStateRow

	inProgress, latest *dbgen.ListDeploymentsByIDRow
}

func environmentStates(ctx context.Context, db *postgres.DB, params dbgen.ListEnvironmentStateParams, now time.Time) ([]environmentStateRow, error) {
	rows, err := db.ListEnvironmentState(ctx, params)
	if err != nil {
		return nil, postgres.Classify(err)
	}
	var ids []uuid.UUID
	for _, row := range rows {
		ids = append(ids, row.OpenDeploymentIDs...)
		if row.LatestDeploymentID != nil {
			ids = append(ids, *row.LatestDeploymentID)
		}
	}
	known, err := deploymentsByID(ctx, db, params.AccountID, ids)
	if err != nil {
		return nil, err
	}
	states := make([]environmentStateRow, len(rows))
	for i, row := range rows {
		states[i] = environmentStateRow{
			ListEnvironmentStateRow: row, inProgress: inProgress(known, row.OpenDeploymentIDs, now), latest: deploymentOf(known, ptr.OrZero(row.LatestDeploymentID)),
		}
	}
	return states, nil
}

// deploymentsByID returns deployments by their identifiers.
func deploymentsByID(ctx context.Context, db *postgres.DB, account uuid.UUID, ids []uuid.UUID) (map[uuid.UUID]dbgen.ListDeploymentsByIDRow, error) {
	known := make(map[uuid.UUID]dbgen.ListDeploymentsByIDRow, len(ids))
	if len(ids) == 0 {
		return known, nil
	}
	rows, err := db.ListDeploymentsByID(ctx, dbgen.ListDeploymentsByIDParams{AccountID: account, IDs: ids})
	for _, row := range rows {
		known[row.ID] = row
	}
	return known, postgres.Classify(err)
}

// inProgress returns the deployment that is in progress among the unfinished ones of a pair, oldest first; nil: there is none.
func inProgress(known map[uuid.UUID]dbgen.ListDeploymentsByIDRow, open []uuid.UUID, now time.Time) *dbgen.ListDeploymentsByIDRow {
	subjects := make([]ingest.Subject, len(open))
	for i, id := range open {
		row := known[id]
		subjects[i] = ingest.Subject{ID: id, Status: ingest.Status(row.Status), LastEventAt: row.LastEventAt, Superseded: row.Superseded, Overtaken: row.Overtaken}
	}
	at := ingest.InProgress(subjects, now)
	if at < 0 {
		return nil
	}
	found := known[open[at]]
	return &found
}

func toAPIDeployment(row dbgen.DeploymentDetail, now time.Time) apigen.Deployment {
	return apigen.Deployment{
		ID:              row.ID,
		DeploymentID:    row.ID,
		ProductID:       row.ProductID,
		ProductName:     row.ProductName,
		VersionID:       row.VersionID,
		Version:         row.Version,
		EnvironmentID:   row.EnvironmentID,
		EnvironmentName: row.EnvironmentName,
		EnvironmentType: apigen.EnvironmentType(row.EnvironmentType),
		Status:          apigen.Status(row.Status),
		IsStale:         isStale(row.Status, row.LastEventAt, row.Superseded, row.Overtaken, now),
		DeployedAt:      deployedAt(row.OccurredAt, row.StartedAt, row.CompletedAt),
		OccurredAt:      row.OccurredAt.UTC(),
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

		Rejections: row.Rejections, LastRejectedAt: toNullableTime(row.LastRejectedAt), PreviousAttemptID: toNullable(row.PreviousAttemptID),
		DeploymentRequestID: toNullable(row.DeploymentRequestID),
	}
}

func isStale(status string, lastEventAt time.Time, superseded, overtaken bool, now time.Time) bool {
	return ingest.Subject{Status: ingest.Status(status), LastEventAt: lastEventAt, Superseded: superseded, Overtaken: overtaken}.IsStale(now)
}

func toAPIEvent(row dbgen.ListDeploymentEventsRow) apigen.RecordedEvent {
	return apigen.RecordedEvent{
		ID: row.ID, ReceivedAt: row.ReceivedAt.UTC(), Status: apigen.Status(row.Status), Effect: apigen.RecordedEventEffect(row.Effect), Body: row.Body,
	}
}

func toAPIEnvironmentState(row environmentStateRow, now time.Time) apigen.EnvironmentState {
	state := apigen.EnvironmentState{
		ProductID: row.ProductID, ProductName: row.ProductName,
		EnvironmentID: row.EnvironmentID, EnvironmentName: row.EnvironmentName, EnvironmentType: apigen.EnvironmentType(row.EnvironmentType),
		DeploymentID: toNullable(row.CurrentDeploymentID), VersionID: toNullable(row.VersionID), Version: toNullable(row.Version),
		Since: toNullableTime(row.CurrentSince), DeployedBy: toNullable(row.DeployedBy), DeployedByName: toNullable(row.DeployedByName),
		InProgressDeploymentID: toNullable[uuid.UUID](nil), InProgressVersion: toNullable[string](nil), InProgressSince: toNullableTime(nil),
		InProgressDeployedBy: toNullable[string](nil), InProgressDeployedByName: toNullable[string](nil),
		LatestDeploymentID: toNullable[uuid.UUID](nil), LatestVersion: toNullable[string](nil), LatestStatus: toNullable[string](nil), LatestAt: toNullableTime(nil),
		LatestDeployedBy: toNullable[string](nil), LatestDeployedByName: toNullable[string](nil),
		HasDrift: row.HasDrift, VersionsBehind: toNullable[int](nil),
	}
	if row.CurrentDeploymentID != nil {
		count := int(row.VersionsBehind)
		state.VersionsBehind = toNullable(&count)
	}
	if running := row.inProgress; running != nil {
		state.InProgressDeploymentID, state.InProgressVersion = toNullable(&running.ID), toNullable(&running.Version)
		state.InProgressSince = toNullableTime(&running.OccurredAt)
		state.InProgressDeployedBy, state.InProgressDeployedByName = toNullable(running.DeployedBy), toNullable(running.DeployedByName)
	}
	if latest := row.latest; latest != nil {
		at := deployedAt(latest.OccurredAt, latest.StartedAt, latest.CompletedAt)
		state.LatestDeploymentID, state.LatestVersion, state.LatestStatus = toNullable(&latest.ID), toNullable(&latest.Version), toNullable(&latest.Status)
		state.LatestAt, state.LatestIsStale = toNullableTime(&at), isStale(latest.Status, latest.LastEventAt, latest.Superseded, latest.Overtaken, now)
		state.LatestDeployedBy, state.LatestDeployedByName = toNullable(latest.DeployedBy), toNullable(latest.DeployedByName)
	}
	return state
}
