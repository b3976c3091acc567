package catalogue

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/governance"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
	"github.com/versioner-io/versioner/internal/quota"
)

// Environments changes environments.
type Environments struct {
	DB       *postgres.DB
	Max      int // in an account; 0 is unlimited
	MaxNames int // of one, former ones included; 0 is unlimited
}

// EnvironmentPatch is what to change; nil stays.
type EnvironmentPatch struct {
	Name, Type, Description *string
	Metadata                *json.RawMessage // a merge patch
}

// Create makes an environment whose name is free. Without a type, it is inferred from the name.
func (e Environments) Create(ctx context.Context, accountID uuid.UUID, name string, kind *string, description string, metadata *json.RawMessage) (environment dbgen.Environment, err error) {
	if name, err = normalizeName(name); err != nil {
		return environment, err
	}
	if kind == nil {
		inferred := string(ingest.InferEnvironmentType(name))
		kind = &inferred
	}
	err = e.DB.WithTx(ctx, func(db *postgres.DB) error {
		id := uuid.Must(uuid.NewV7())
		holder, err := db.ReserveEnvironmentName(ctx, dbgen.ReserveEnvironmentNameParams{AccountID: accountID, Name: name, EnvironmentID: id})
		if err := checkNameReserved(id, holder, err); err != nil {
			return err
		}
		environment, err = db.CreateEnvironment(ctx, dbgen.CreateEnvironmentParams{
			AccountID: accountID, ID: id, Name: name, Type: *kind, Description: description, Metadata: metadataOrDefault(metadata), Now: time.Now(),
		})
		if err != nil {
			return postgres.Classify(err)
		}
		if err := quota.Check(ctx, db, accountID, quota.Environments, e.Max); err != nil {
			return err
		}
		return audit.Record(ctx, db, environmentChange(environment, "environment.create", audit.Compare(nil, environmentMembers(environment))))
	})
	return environment, err
}

// Update changes an environment. A former name goes on leading to it.
func (e Environments) Update(ctx context.Context, target etag.Ref, patch EnvironmentPatch) (environment dbgen.Environment, err error) {
	if patch.Name, err = normalizeNamePatch(patch.Name); err != nil {
		return environment, err
	}
	err = e.DB.WithTx(ctx, func(db *postgres.DB) error {
		change := func() (err error) {
			environment, err = e.update(ctx, db, target, patch)
			return err
		}
		if patch.Name == nil && patch.Type == nil {
			return change()
		}
		return governance.ChangeScope(ctx, db, target.AccountID, change)
	})
	return environment, err
}

func (e Environments) update(ctx context.Context, db *postgres.DB, target etag.Ref, patch EnvironmentPatch) (dbgen.Environment, error) {
	environment, err := e.lock(ctx, db, target)
	if err != nil {
		return environment, err
	}
	before := environmentMembers(environment)
	environment.Name = ptr.Or(patch.Name, environment.Name)
	environment.Type = ptr.Or(patch.Type, environment.Type)
	environment.Description = ptr.Or(patch.Description, environment.Description)
	if err := mergePatch("metadata", &environment.Metadata, patch.Metadata); err != nil {
		return environment, err
	}
	changed := audit.Compare(before, environmentMembers(environment))
	if len(changed) == 0 {
		return environment, nil
	}
	holder, err := db.ReserveEnvironmentName(ctx, dbgen.ReserveEnvironmentNameParams{AccountID: target.AccountID, Name: environment.Name, EnvironmentID: target.ID})
	if err := checkNameReserved(target.ID, holder, err); err != nil {
		return environment, err
	}
	if err := e.checkNames(ctx, db, target); err != nil {
		return environment, err
	}
	environment, err = db.UpdateEnvironment(ctx, dbgen.UpdateEnvironmentParams{
		AccountID: target.AccountID, ID: target.ID, Name: environment.Name, Type: environment.Type, Description: environment.Description, Metadata: environment.Metadata, Now: time.Now(),
	})
	if err != nil {
		return environment, postgres.Classify(err)
	}
	return environment, audit.Record(ctx, db, environmentChange(environment, "environment.update", changed))
}

// Delete hides an environment from every view and frees its names. Its state rows are locked first, in the order in which events lock.
func (e Environments) Delete(ctx context.Context, target etag.Ref) error {
	return e.DB.WithTx(ctx, func(db *postgres.DB) error {
		if _, err := db.LockGovernanceRevisions(ctx, []uuid.UUID{target.AccountID}); err != nil { // or slots may be filled after they are deleted
			return postgres.Classify(err)
		}
		if _, err := db.LockEnvironmentStatesOfEnvironment(ctx, dbgen.LockEnvironmentStatesOfEnvironmentParams{AccountID: target.AccountID, EnvironmentID: target.ID}); err != nil {
			return postgres.Classify(err)
		}
		environment, err := db.GetEnvironmentForDelete(ctx, dbgen.GetEnvironmentForDeleteParams{AccountID: target.AccountID, ID: target.ID})
		if err != nil {
			return postgres.Classify(err)
		}
		if err := target.Verify(environment.Revision); err != nil {
			return err
		}
		err = db.DeleteEnvironment(ctx, dbgen.DeleteEnvironmentParams{AccountID: target.AccountID, ID: target.ID, Now: time.Now()})
		if err == nil {
			err = db.DeleteEnvironmentNames(ctx, dbgen.DeleteEnvironmentNamesParams{AccountID: target.AccountID, EnvironmentID: target.ID})
		}
		if err == nil {
			err = db.DeleteEnvironmentStatesOfEnvironment(ctx, dbgen.DeleteEnvironmentStatesOfEnvironmentParams{AccountID: target.AccountID, EnvironmentID: target.ID})
		}
		if err == nil {
			err = db.DeleteSlotsOfEnvironment(ctx, dbgen.DeleteSlotsOfEnvironmentParams{AccountID: target.AccountID, EnvironmentID: target.ID})
		}
		if err != nil {
			return postgres.Classify(err)
		}
		return audit.Record(ctx, db, environmentChange(environment, "environment.delete", audit.Compare(environmentMembers(environment), nil)))
	})
}

func (e Environments) lock(ctx context.Context, db *postgres.DB, target etag.Ref) (dbgen.Environment, error) {
	environment, err := db.GetEnvironmentForUpdate(ctx, dbgen.GetEnvironmentForUpdateParams{AccountID: target.AccountID, ID: target.ID})
	if err != nil {
		return environment, postgres.Classify(err)
	}
	return environment, target.Verify(environment.Revision)
}

func (e Environments) checkNames(ctx context.Context, db *postgres.DB, target etag.Ref) error {
	count, err := db.CountEnvironmentNames(ctx, dbgen.CountEnvironmentNamesParams{AccountID: target.AccountID, EnvironmentID: target.ID})
	return checkNames("environment", count, e.MaxNames, err)
}

// environmentMembers returns the members that the audit log has the values of.
func environmentMembers(environment dbgen.Environment) []audit.Member {
	return []audit.Member{
		{Name: "name", Value: environment.Name}, {Name: "type", Value: environment.Type}, {Name: "description", Value: environment.Description}, {Name: "metadata", Value: environment.Metadata},
	}
}

func environmentChange(environment dbgen.Environment, action string, values []audit.Value) audit.Change {
	return audit.Change{AccountID: environment.AccountID, Action: action, ObjectType: "environment", ObjectID: environment.ID, ObjectName: environment.Name, Values: values}
}
