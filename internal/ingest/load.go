package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
)

// The locks of a batch, in the order in which every transaction takes them: names of products, names of environments, versions
// of builds or state rows (inserted where they are missing), quotas of products, quotas of environments, Idempotency-Keys of
// events, then the existing state rows or versions; within each, the order of the key. What is written afterwards belongs to locked pairs. Versions of deployments are
// inserted and updated last, in the order of their keys. So no two transactions wait for each other.

// accountsOf returns the accounts of the events, each once.
func accountsOf(events []Event) []uuid.UUID {
	var accounts []uuid.UUID
	seen := make(map[uuid.UUID]bool)
	for _, event := range events {
		if !seen[event.AccountID] {
			seen[event.AccountID] = true
			accounts = append(accounts, event.AccountID)
		}
	}
	return accounts
}

// queueLoad queues the statements that read the state of the events' pairs and lock it.
func (w *workingSet) queueLoad(batch *pgx.Batch, events []Event) {
	if keys := keyLocksOf(events); len(keys) > 0 {
		postgres.QueueQuery(batch, dbgen.LockEventKeys, struct{ IDs []int64 }{keys})
	}
	pairs, runs := gather(events, nameOf), gather(events, runOf)
	fingerprints := fingerprintsOf(events)
	if w.kind == Build {
		postgres.QueueRows(batch, dbgen.LockVersions, dbgen.LockVersionsParams{
			AccountIDs: pairs.accountIDs, ProductNames: pairs.products, Versions: pairs.versions,
		}, w.addLockedVersion)
		postgres.QueueRows(batch, dbgen.LoadBuilds, dbgen.LoadBuildsParams{
			AccountIDs: runs.accountIDs, ProductNames: runs.products, Versions: runs.versions, InvokeIDs: runs.invokeIDs,
			FingerprintAccountIDs: fingerprints.AccountIDs, Fingerprints: fingerprints.Fingerprints,
		}, w.addBuild)
	} else {
		versions := gather(events, func(e Event) nameKey {
			return nameKey{accountID: e.AccountID, product: e.ProductName, partner: e.Version}
		})
		postgres.QueueRows(batch, dbgen.LockEnvironmentStates, dbgen.LockEnvironmentStatesParams{
			AccountIDs: pairs.accountIDs, ProductNames: pairs.products, EnvironmentNames: pairs.environments,
		}, w.addEnvironmentState)
		postgres.QueueRows(batch, dbgen.LoadVersions, dbgen.LoadVersionsParams{
			AccountIDs: versions.accountIDs, ProductNames: versions.products, Versions: versions.versions,
		}, w.addVersion)
		postgres.QueueRows(batch, dbgen.LoadDeployments, dbgen.LoadDeploymentsParams{
			AccountIDs: runs.accountIDs, ProductNames: runs.products, EnvironmentNames: runs.environments,
			Versions: runs.versions, InvokeIDs: runs.invokeIDs,
			FingerprintAccountIDs: fingerprints.AccountIDs, Fingerprints: fingerprints.Fingerprints,
		}, w.addDeployment)
	}
	if len(fingerprints.AccountIDs) > 0 {
		postgres.QueueRows(batch, dbgen.ListEventFingerprints, fingerprints, w.addFingerprint)
	}
}

// runName names the run of an event in its pair and version.
type runName struct {
	nameKey

	version, invokeID string
}

func runOf(event Event) runName {
	return runName{nameKey: nameOf(event), version: event.Version, invokeID: event.InvokeID}
}

// fingerprintsOf returns what recognises earlier events with the same body or Idempotency-Key.
func fingerprintsOf(events []Event) (p dbgen.ListEventFingerprintsParams) {
	add := func(event Event, fingerprint [32]byte) {
		p.AccountIDs, p.Fingerprints = append(p.AccountIDs, event.AccountID), append(p.Fingerprints, fingerprint[:])
	}
	for _, event := range events {
		if event.Status.IsTerminal() {
			add(event, event.Fingerprint)
		}
		if event.IdempotencyKey != "" {
			add(event, event.keyFingerprint())
		}
	}
	return p
}

// keyLocksOf returns the identifiers of the locks of the events' Idempotency-Keys, in ascending order.
func keyLocksOf(events []Event) []int64 {
	var ids []int64
	for _, event := range events {
		if event.IdempotencyKey != "" {
			key := event.keyFingerprint()
			hash := sha256.Sum256(append(event.AccountID[:], key[:]...))
			ids = append(ids, int64(binary.BigEndian.Uint64(hash[:]))) //nolint:gosec // bits are bits
		}
	}
	slices.Sort(ids)
	return ids
}

func (w *workingSet) addFingerprint(row dbgen.ListEventFingerprintsRow) {
	w.earlier[earlierKey{accountID: row.AccountID, fingerprint: [32]byte(row.Fingerprint)}] = earlierEvent{
		eventID: row.EventID, subjectID: row.SubjectID, receivedAt: row.ReceivedAt, requestHash: row.RequestHash,
	}
}

// columns are events as arrays of parameters.
type columns struct {
	accountIDs                                                     []uuid.UUID
	products, environments, types, versions, semVerKeys, invokeIDs []string
	events                                                         []int // the position of the event that a row is of
}

// gather returns the columns of the events, one for each key.
func gather[K comparable](events []Event, keyOf func(Event) K) *columns {
	var c columns
	seen := make(map[K]bool, len(events))
	for i, event := range events {
		key := keyOf(event)
		if seen[key] {
			continue
		}
		seen[key] = true
		c.events = append(c.events, i)
		c.accountIDs = append(c.accountIDs, event.AccountID)
		c.products = append(c.products, event.ProductName)
		c.environments = append(c.environments, event.EnvironmentName)
		c.types = append(c.types, string(event.EnvironmentType))
		c.versions = append(c.versions, event.Version)
		c.semVerKeys = append(c.semVerKeys, event.SemVerKey)
		c.invokeIDs = append(c.invokeIDs, event.InvokeID)
	}
	return &c
}

// newIDs returns an identifier for each row of columns.
func (c *columns) newIDs() []uuid.UUID {
	ids := make([]uuid.UUID, len(c.accountIDs))
	for i := range ids {
		ids[i] = newID()
	}
	return ids
}

func (w *workingSet) addEnvironmentState(row dbgen.LockEnvironmentStatesRow) {
	key := pairKey{accountID: row.AccountID, productID: row.ProductID, partnerID: row.EnvironmentID}
	w.names[nameKey{accountID: row.AccountID, product: row.ProductNameInEvent, partner: row.EnvironmentNameInEvent}] = &resolvedPair{
		key: key, productName: row.ProductName, environmentName: row.EnvironmentName, environmentType: EnvironmentType(row.EnvironmentType),
	}
	w.pairs[key] = &pairState{Pair: Pair{
		CurrentID: ptr.OrZero(row.CurrentDeploymentID), CurrentSince: ptr.OrZero(row.CurrentSince),
		LatestID: ptr.OrZero(row.LatestDeploymentID), OpenIDs: row.OpenDeploymentIDs,
	}}
}

func (w *workingSet) addVersion(row dbgen.LoadVersionsRow) {
	w.versions[versionKey{accountID: row.AccountID, productID: row.ProductID, version: row.Version}] = &versionState{
		accountID: row.AccountID, version: row.Version,
		Version: Version{
			ID: row.ID, Branch: ptr.OrZero(row.SCMBranch), Repository: ptr.OrZero(row.SCMRepository),
			OccurredAt: ptr.OrZero(row.OccurredAt), FirstCompletedAt: ptr.OrZero(row.FirstCompletedAt),
			CompletedAt: completions(row.DevCompletedAt, row.TestCompletedAt, row.StagingCompletedAt),
		},
	}
}

func completions(dev, test, staging *time.Time) map[EnvironmentType]time.Time {
	completed := make(map[EnvironmentType]time.Time)
	for kind, at := range map[EnvironmentType]*time.Time{DevType: dev, TestType: test, StagingType: staging} {
		if at != nil {
			completed[kind] = *at
		}
	}
	return completed
}

func (w *workingSet) addLockedVersion(row dbgen.LockVersionsRow) {
	key := pairKey{accountID: row.AccountID, productID: row.ProductID, partnerID: row.ID}
	w.names[nameKey{accountID: row.AccountID, product: row.NameInEvent, partner: row.Version}] = &resolvedPair{key: key, productName: row.ProductName}
	w.pairs[key] = &pairState{Pair: Pair{LatestID: ptr.OrZero(row.LatestBuildID), OpenIDs: row.OpenBuildIDs}}
	w.versions[versionKey{accountID: row.AccountID, productID: row.ProductID, version: row.Version}] = &versionState{
		accountID: row.AccountID, version: row.Version,
		Version: Version{
			ID: row.ID, SHA: ptr.OrZero(row.SCMSHA), Branch: ptr.OrZero(row.SCMBranch), Repository: ptr.OrZero(row.SCMRepository), OccurredAt: ptr.OrZero(row.OccurredAt),
		},
	}
}

func (w *workingSet) addDeployment(row dbgen.Deployment) {
	w.addSubject(Subject{
		ID: row.ID, AccountID: row.AccountID, ProductID: row.ProductID, VersionID: row.VersionID, EnvironmentID: row.EnvironmentID,
		Status: Status(row.Status), Seen: newStatusSet(row.SeenStatuses), InvokeID: ptr.OrZero(row.InvokeID), Attempt: ptr.OrZero(row.Attempt),
		Details: Details{
			SourceSystem: ptr.OrZero(row.SourceSystem), BuildNumber: ptr.OrZero(row.BuildNumber),
			SHA: ptr.OrZero(row.SCMSHA), Branch: ptr.OrZero(row.SCMBranch), Repository: ptr.OrZero(row.SCMRepository), URL: ptr.OrZero(row.DeployURL),
			By: ptr.OrZero(row.DeployedBy), ByEmail: ptr.OrZero(row.DeployedByEmail), ByName: ptr.OrZero(row.DeployedByName),
		},
		SoakTimeHours: row.SoakTimeHours,
		OccurredAt:    row.OccurredAt, StartedAt: ptr.OrZero(row.StartedAt), CompletedAt: ptr.OrZero(row.CompletedAt), LastEventAt: row.LastEventAt,
		Superseded: row.Superseded, Overtaken: row.Overtaken, Metadata: row.ExtraMetadata, CreatedAt: row.CreatedAt,
		Rejections: int(row.Rejections), LastRejectedAt: ptr.OrZero(row.LastRejectedAt), PreviousAttemptID: ptr.OrZero(row.PreviousAttemptID),
		DeploymentRequestID: ptr.OrZero(row.DeploymentRequestID),
	})
}

func (w *workingSet) addBuild(row dbgen.Build) {
	w.addSubject(Subject{
		ID: row.ID, AccountID: row.AccountID, ProductID: row.ProductID, VersionID: row.VersionID,
		Status: Status(row.Status), Seen: newStatusSet(row.SeenStatuses), InvokeID: ptr.OrZero(row.InvokeID), Attempt: ptr.OrZero(row.Attempt),
		Details: Details{
			SourceSystem: ptr.OrZero(row.SourceSystem), BuildNumber: ptr.OrZero(row.BuildNumber),
			SHA: ptr.OrZero(row.SCMSHA), Branch: ptr.OrZero(row.SCMBranch), Repository: ptr.OrZero(row.SCMRepository), URL: ptr.OrZero(row.BuildURL),
			By: ptr.OrZero(row.BuiltBy), ByEmail: ptr.OrZero(row.BuiltByEmail), ByName: ptr.OrZero(row.BuiltByName),
			ErrorMessage: ptr.OrZero(row.ErrorMessage), ErrorCode: ptr.OrZero(row.ErrorCode),
		},
		OccurredAt: row.OccurredAt, StartedAt: ptr.OrZero(row.StartedAt), CompletedAt: ptr.OrZero(row.CompletedAt), LastEventAt: row.LastEventAt,
		Superseded: row.Superseded, Overtaken: row.Overtaken, Metadata: row.ExtraMetadata, CreatedAt: row.CreatedAt,
	})
}

// createNames inserts the products, environments, versions of builds and state rows that events mention first, before the first
// lock of an existing row is taken. at returns the time of an event, by its position; products and environments are as old as
// the first one. It returns which products and environments it has inserted.
func createNames(ctx context.Context, tx *postgres.BatchTx, kind Kind, events []Event, at func(event int) time.Time) (created createdObjects, err error) {
	batch := &pgx.Batch{}
	pairs := gather(events, nameOf)
	productIDs := pairs.newIDs()
	postgres.QueueQuery(batch, dbgen.InsertProductNames, dbgen.InsertProductNamesParams{AccountIDs: pairs.accountIDs, Names: pairs.products, ProductIDs: productIDs})
	postgres.QueueRows(batch, dbgen.InsertProducts, dbgen.InsertProductsParams{
		Now: at(0), AccountIDs: pairs.accountIDs, Names: pairs.products, ProductIDs: productIDs,
	}, func(row insertedObject) { created.products = append(created.products, row.AccountID) })
	if kind == Build {
		unknown, createdAt := make([]time.Time, len(productIDs)), make([]time.Time, len(productIDs))
		for row, event := range pairs.events {
			createdAt[row] = at(event)
		}
		postgres.QueueQuery(batch, dbgen.InsertVersions, dbgen.InsertVersionsParams{
			AccountIDs: pairs.accountIDs, IDs: pairs.newIDs(), ProductNames: pairs.products, Versions: pairs.versions, SemVerKeys: pairs.semVerKeys,
			OccurredAt: unknown, FirstCompletedAt: unknown, DevCompletedAt: unknown, TestCompletedAt: unknown, StagingCompletedAt: unknown,
			CreatedAt: createdAt,
		})
		err = tx.Send(ctx, batch)
		return created, err
	}
	environmentIDs := pairs.newIDs()
	postgres.QueueQuery(batch, dbgen.InsertEnvironmentNames, dbgen.InsertEnvironmentNamesParams{
		AccountIDs: pairs.accountIDs, Names: pairs.environments, EnvironmentIDs: environmentIDs,
	})
	postgres.QueueRows(batch, dbgen.InsertEnvironments, dbgen.InsertEnvironmentsParams{
		Now: at(0), AccountIDs: pairs.accountIDs, Names: pairs.environments, EnvironmentIDs: environmentIDs, Types: pairs.types,
	}, func(row insertedObject) { created.environments = append(created.environments, row.AccountID) })
	postgres.QueueQuery(batch, dbgen.InsertEnvironmentStates, dbgen.InsertEnvironmentStatesParams{
		AccountIDs: pairs.accountIDs, ProductNames: pairs.products, EnvironmentNames: pairs.environments,
	})
	err = tx.Send(ctx, batch)
	return created, err
}
