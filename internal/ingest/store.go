package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/telemetry"
)

// store writes what the events of the batch have decided and commits, in one round trip. What is unchanged is not written.
// repeats are the results that still lack the event that they repeat; notified are the event types that have subscribers.
func (w *workingSet) store(ctx context.Context, tx *postgres.BatchTx, accounts []uuid.UUID, repeats []*Recorded, notified notifiedTypes) error {
	batch := &pgx.Batch{}
	if w.kind == Build {
		w.queueBuilds(batch)
		w.queueVersionBuilds(batch)
	} else {
		w.queueNewVersions(batch)
		w.queueVersionMilestones(batch)
		w.queueDeployments(batch)
		w.queueStates(batch)
		if err := w.queueGoverned(ctx, batch); err != nil {
			return err
		}
	}
	w.queueEvents(batch)
	w.queueNewFingerprints(batch)
	if err := w.queueFanOut(ctx, batch, notified); err != nil {
		return err
	}
	w.queueRepeats(batch, accounts, repeats)
	if err := tx.SendAndCommit(ctx, batch); err != nil {
		return err
	}
	for _, repeat := range repeats {
		if repeat.EventID == uuid.Nil { // the event that it repeats is older than the retention of events
			repeat.EventID = newID()
		}
	}
	return nil
}

func (w *workingSet) queueNewVersions(batch *pgx.Batch) {
	p := dbgen.InsertVersionsParams{}
	for _, v := range w.versions {
		if !v.isNew || v.createdAt.IsZero() {
			continue
		}
		p.AccountIDs, p.IDs = append(p.AccountIDs, v.accountID), append(p.IDs, v.ID)
		p.ProductNames, p.Versions = append(p.ProductNames, v.productName), append(p.Versions, v.version)
		p.SemVerKeys = append(p.SemVerKeys, v.semVerKey)
		p.OccurredAt, p.FirstCompletedAt = append(p.OccurredAt, v.OccurredAt), append(p.FirstCompletedAt, v.FirstCompletedAt)
		p.DevCompletedAt = append(p.DevCompletedAt, v.CompletedAt[DevType])
		p.TestCompletedAt = append(p.TestCompletedAt, v.CompletedAt[TestType])
		p.StagingCompletedAt = append(p.StagingCompletedAt, v.CompletedAt[StagingType])
		p.CreatedAt = append(p.CreatedAt, v.createdAt)
	}
	if len(p.IDs) > 0 {
		postgres.QueueQuery(batch, dbgen.InsertVersions, p)
	}
}

func (w *workingSet) queueVersionMilestones(batch *pgx.Batch) {
	p := dbgen.UpdateVersionMilestonesParams{}
	for _, v := range w.versions {
		if v.isNew || !v.isDirty {
			continue
		}
		p.AccountIDs, p.IDs = append(p.AccountIDs, v.accountID), append(p.IDs, v.ID)
		p.OccurredAt, p.FirstCompletedAt = append(p.OccurredAt, v.OccurredAt), append(p.FirstCompletedAt, v.FirstCompletedAt)
		p.DevCompletedAt = append(p.DevCompletedAt, v.CompletedAt[DevType])
		p.TestCompletedAt = append(p.TestCompletedAt, v.CompletedAt[TestType])
		p.StagingCompletedAt = append(p.StagingCompletedAt, v.CompletedAt[StagingType])
	}
	if len(p.IDs) > 0 {
		postgres.QueueQuery(batch, dbgen.LockVersionsByID, dbgen.LockVersionsByIDParams{AccountIDs: p.AccountIDs, IDs: p.IDs})
		postgres.QueueQuery(batch, dbgen.UpdateVersionMilestones, p)
	}
}

func (w *workingSet) queueVersionBuilds(batch *pgx.Batch) {
	p := dbgen.UpdateVersionBuildsParams{}
	for key, v := range w.versions {
		pair := w.pairs[pairKey{accountID: key.accountID, productID: key.productID, partnerID: v.ID}]
		if !v.isDirty && !pair.isDirty {
			continue
		}
		p.AccountIDs, p.IDs = append(p.AccountIDs, v.accountID), append(p.IDs, v.ID)
		p.SCMSHAs, p.SCMBranches, p.SCMRepositories = append(p.SCMSHAs, v.SHA), append(p.SCMBranches, v.Branch), append(p.SCMRepositories, v.Repository)
		p.LatestBuildIDs, p.OpenBuildIDs = append(p.LatestBuildIDs, pair.LatestID), append(p.OpenBuildIDs, joinIDs(pair.OpenIDs))
		p.OccurredAt = append(p.OccurredAt, v.OccurredAt)
	}
	if len(p.IDs) > 0 {
		postgres.QueueQuery(batch, dbgen.UpdateVersionBuilds, p)
	}
}

func (w *workingSet) queueStates(batch *pgx.Batch) {
	p := dbgen.UpdateEnvironmentStatesParams{}
	for key, pair := range w.pairs {
		if !pair.isDirty {
			continue
		}
		p.AccountIDs, p.ProductIDs, p.EnvironmentIDs = append(p.AccountIDs, key.accountID), append(p.ProductIDs, key.productID), append(p.EnvironmentIDs, key.partnerID)
		p.CurrentDeploymentIDs, p.CurrentSince = append(p.CurrentDeploymentIDs, pair.CurrentID), append(p.CurrentSince, pair.CurrentSince)
		p.LatestDeploymentIDs, p.OpenDeploymentIDs = append(p.LatestDeploymentIDs, pair.LatestID), append(p.OpenDeploymentIDs, joinIDs(pair.OpenIDs))
	}
	if len(p.AccountIDs) > 0 {
		postgres.QueueQuery(batch, dbgen.UpdateEnvironmentStates, p)
	}
}

func (w *workingSet) queueDeployments(batch *pgx.Batch) {
	var p dbgen.UpsertDeploymentsParams
	for _, s := range w.dirtySubjects() {
		p.AccountIDs, p.IDs, p.ProductIDs = append(p.AccountIDs, s.AccountID), append(p.IDs, s.ID), append(p.ProductIDs, s.ProductID)
		p.VersionIDs, p.EnvironmentIDs = append(p.VersionIDs, s.VersionID), append(p.EnvironmentIDs, s.EnvironmentID)
		p.Statuses, p.SeenStatuses = append(p.Statuses, string(s.Status)), append(p.SeenStatuses, s.Seen.String())
		p.InvokeIDs, p.Attempts = append(p.InvokeIDs, s.InvokeID), append(p.Attempts, s.Attempt)
		p.SourceSystems, p.BuildNumbers = append(p.SourceSystems, s.SourceSystem), append(p.BuildNumbers, s.BuildNumber)
		p.SCMSHAs, p.SCMBranches, p.SCMRepositories = append(p.SCMSHAs, s.SHA), append(p.SCMBranches, s.Branch), append(p.SCMRepositories, s.Repository)
		p.DeployURLs, p.DeployedBy = append(p.DeployURLs, s.URL), append(p.DeployedBy, s.By)
		p.DeployedByEmails, p.DeployedByNames = append(p.DeployedByEmails, s.ByEmail), append(p.DeployedByNames, s.ByName)
		p.SoakTimeHours = append(p.SoakTimeHours, soakOrNegative(s.SoakTimeHours))
		p.OccurredAt, p.StartedAt, p.CompletedAt = append(p.OccurredAt, s.OccurredAt), append(p.StartedAt, s.StartedAt), append(p.CompletedAt, s.CompletedAt)
		p.LastEventAt, p.CreatedAt = append(p.LastEventAt, s.LastEventAt), append(p.CreatedAt, s.CreatedAt)
		p.Superseded, p.Overtaken = append(p.Superseded, s.Superseded), append(p.Overtaken, s.Overtaken)
		p.ExtraMetadata = append(p.ExtraMetadata, s.metadataToStore())
		p.Rejections, p.LastRejectedAt = append(p.Rejections, int32(s.Rejections)), append(p.LastRejectedAt, s.LastRejectedAt) //nolint:gosec // one each 3 minutes
		p.PreviousAttemptIDs = append(p.PreviousAttemptIDs, s.PreviousAttemptID)
		p.DeploymentRequestIDs = append(p.DeploymentRequestIDs, s.DeploymentRequestID)
	}
	if len(p.IDs) > 0 {
		postgres.QueueQuery(batch, dbgen.UpsertDeployments, p)
	}
}

func (w *workingSet) queueBuilds(batch *pgx.Batch) {
	var p dbgen.UpsertBuildsParams
	for _, s := range w.dirtySubjects() {
		p.AccountIDs, p.IDs, p.ProductIDs = append(p.AccountIDs, s.AccountID), append(p.IDs, s.ID), append(p.ProductIDs, s.ProductID)
		p.VersionIDs = append(p.VersionIDs, s.VersionID)
		p.Statuses, p.SeenStatuses = append(p.Statuses, string(s.Status)), append(p.SeenStatuses, s.Seen.String())
		p.InvokeIDs, p.Attempts = append(p.InvokeIDs, s.InvokeID), append(p.Attempts, s.Attempt)
		p.SourceSystems, p.BuildNumbers = append(p.SourceSystems, s.SourceSystem), append(p.BuildNumbers, s.BuildNumber)
		p.SCMSHAs, p.SCMBranches, p.SCMRepositories = append(p.SCMSHAs, s.SHA), append(p.SCMBranches, s.Branch), append(p.SCMRepositories, s.Repository)
		p.BuildURLs, p.BuiltBy = append(p.BuildURLs, s.URL), append(p.BuiltBy, s.By)
		p.BuiltByEmails, p.BuiltByNames = append(p.BuiltByEmails, s.ByEmail), append(p.BuiltByNames, s.ByName)
		p.ErrorMessages, p.ErrorCodes = append(p.ErrorMessages, s.ErrorMessage), append(p.ErrorCodes, s.ErrorCode)
		p.OccurredAt, p.StartedAt, p.CompletedAt = append(p.OccurredAt, s.OccurredAt), append(p.StartedAt, s.StartedAt), append(p.CompletedAt, s.CompletedAt)
		p.LastEventAt, p.CreatedAt = append(p.LastEventAt, s.LastEventAt), append(p.CreatedAt, s.CreatedAt)
		p.Superseded, p.Overtaken = append(p.Superseded, s.Superseded), append(p.Overtaken, s.Overtaken)
		p.ExtraMetadata = append(p.ExtraMetadata, s.metadataToStore())
	}
	if len(p.IDs) > 0 {
		postgres.QueueQuery(batch, dbgen.UpsertBuilds, p)
	}
}

// dirtySubjects returns the subjects to write, in the order of their creation.
func (w *workingSet) dirtySubjects() []*subjectState {
	var dirty []*subjectState
	for _, subject := range w.subjects {
		if subject.isDirty {
			dirty = append(dirty, subject)
		}
	}
	slices.SortFunc(dirty, func(one, other *subjectState) int { return bytes.Compare(one.ID[:], other.ID[:]) })
	return dirty
}

func (w *workingSet) queueEvents(batch *pgx.Batch) {
	var p dbgen.InsertEventsParams
	for _, r := range w.recorded {
		p.AccountIDs, p.IDs, p.ReceivedAt = append(p.AccountIDs, r.event.AccountID), append(p.IDs, r.event.ID), append(p.ReceivedAt, r.receivedAt)
		p.APIKeyIDs, p.Statuses, p.Effects = append(p.APIKeyIDs, r.event.APIKeyID), append(p.Statuses, string(r.event.Status)), append(p.Effects, string(r.effect))
		p.IsBuild, p.SubjectIDs, p.Bodies = append(p.IsBuild, w.kind == Build), append(p.SubjectIDs, r.subjectID), append(p.Bodies, r.event.Body)
	}
	if len(p.IDs) > 0 {
		postgres.QueueQuery(batch, dbgen.InsertEvents, p)
	}
}

func (w *workingSet) queueNewFingerprints(batch *pgx.Batch) {
	var p dbgen.UpsertEventFingerprintsParams
	for key, known := range w.earlier {
		if !known.isNew {
			continue
		}
		p.AccountIDs, p.Fingerprints, p.RequestHashes = append(p.AccountIDs, key.accountID), append(p.Fingerprints, key.fingerprint[:]), append(p.RequestHashes, known.requestHash)
		p.EventIDs, p.SubjectIDs, p.ReceivedAt = append(p.EventIDs, known.eventID), append(p.SubjectIDs, known.subjectID), append(p.ReceivedAt, known.receivedAt)
	}
	if len(p.AccountIDs) > 0 {
		postgres.QueueQuery(batch, dbgen.UpsertEventFingerprints, p)
	}
}

// queueFanOut enqueues one job for all events of the batch that have subscribers.
func (w *workingSet) queueFanOut(ctx context.Context, batch *pgx.Batch, notified notifiedTypes) error {
	var args FanOutArgs
	for _, r := range w.recorded {
		isChange := r.effect == Created || r.effect == Progressed || r.effect == Terminated
		if isChange && notified[notifiedType{accountID: r.event.AccountID, eventType: r.event.eventType()}] {
			args.Events = append(args.Events, w.fanOut(r))
		}
		if r.notice != nil && notified[notifiedType{accountID: r.event.AccountID, eventType: r.notice.EventType}] {
			event := w.fanOut(r)
			event.EventType, event.Status, event.Preflight = r.notice.EventType, w.subjects[r.subjectID].Status, r.notice
			args.Events = append(args.Events, event)
		}
	}
	if len(args.Events) == 0 {
		return nil
	}
	encoded, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("encode a fan-out job: %w", err)
	}
	postgres.QueueQuery(batch, dbgen.InsertFanOutJob, dbgen.InsertFanOutJobParams{Args: encoded, Metadata: telemetry.JobMetadata(ctx)})
	return nil
}

// queueRepeats finds the events that repeats of unfinished or finished subjects repeat.
func (w *workingSet) queueRepeats(batch *pgx.Batch, accounts []uuid.UUID, repeats []*Recorded) {
	if len(repeats) == 0 {
		return
	}
	ids := make([]uuid.UUID, len(repeats))
	for i, repeat := range repeats {
		ids[i] = repeat.Subject.ID
	}
	found := func(subjectID uuid.UUID, status string, id uuid.UUID) {
		for _, repeat := range repeats {
			if repeat.Subject.ID == subjectID && (repeat.EventID == uuid.Nil || string(repeat.status) == status) {
				repeat.EventID = id
			}
		}
	}
	if w.kind == Build {
		postgres.QueueRows(batch, dbgen.ListEventsOfBuilds, dbgen.ListEventsOfBuildsParams{Accounts: accounts, IDs: ids},
			func(row dbgen.ListEventsOfBuildsRow) { found(row.SubjectID, row.Status, row.ID) })
		return
	}
	postgres.QueueRows(batch, dbgen.ListEventsOfDeployments, dbgen.ListEventsOfDeploymentsParams{Accounts: accounts, IDs: ids},
		func(row dbgen.ListEventsOfDeploymentsRow) { found(row.SubjectID, row.Status, row.ID) })
}

func joinIDs(ids []uuid.UUID) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return strings.Join(texts, ",")
}

// soakOrNegative stands for NULL as InsertDeployments reads it.
func soakOrNegative(hours *float64) float64 {
	if hours == nil {
		return -1
	}
	return *hours
}
