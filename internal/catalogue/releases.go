package catalogue

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
	"github.com/versioner-io/versioner/internal/quota"
)

// Releases changes releases and what they are composed of.
type Releases struct {
	DB      *postgres.DB
	MaxOpen int // in an account; 0 is unlimited
}

// ReleasePatch is what to change; nil stays.
type ReleasePatch struct {
	Name, Description, Status *string
	ExtraMetadata             *json.RawMessage // a merge patch
}

// The statuses of a release. The last two are final.
const (
	draft      = "draft"
	inProgress = "in_progress"
	completed  = "completed"
	cancelled  = "cancelled"
)

// canTransition reports whether a release may change its status.
func canTransition(from, to string) bool {
	switch from {
	case draft:
		return slices.Contains([]string{draft, inProgress, cancelled}, to)
	case inProgress:
		return slices.Contains([]string{inProgress, completed, cancelled}, to)
	default:
		return from == to
	}
}

// Create makes a release, a draft unless it is in progress already.
func (r Releases) Create(ctx context.Context, accountID uuid.UUID, name, description, status string, metadata *json.RawMessage) (release dbgen.Release, err error) {
	if name, err = normalizeName(name); err != nil {
		return release, err
	}
	err = r.DB.WithTx(ctx, func(db *postgres.DB) error {
		release, err = db.CreateRelease(ctx, dbgen.CreateReleaseParams{
			AccountID: accountID, ID: uuid.Must(uuid.NewV7()), Name: name, Description: description, Status: status,
			ExtraMetadata: metadataOrDefault(metadata), Now: time.Now(),
		})
		if err != nil {
			return postgres.Classify(err)
		}
		if err := quota.Check(ctx, db, accountID, quota.OpenReleases, r.MaxOpen); err != nil {
			return err
		}
		return audit.Record(ctx, db, releaseChange(release, "release.create", audit.Compare(nil, releaseMembers(release))))
	})
	return release, err
}

// Update changes a release. Its status only goes forward.
func (r Releases) Update(ctx context.Context, target etag.Ref, patch ReleasePatch) (release dbgen.Release, err error) {
	if patch.Name, err = normalizeNamePatch(patch.Name); err != nil {
		return release, err
	}
	err = r.DB.WithTx(ctx, func(db *postgres.DB) error {
		if release, err = r.lock(ctx, db, target); err != nil {
			return err
		}
		if patch.Status != nil && !canTransition(release.Status, *patch.Status) {
			return apperr.NewInvalid(apperr.Field{
				Loc: []any{"body", "status"}, Msg: "invalid transition from " + release.Status + " to " + *patch.Status, Type: "value_error.transition",
			})
		}
		before := releaseMembers(release)
		release.Name = ptr.Or(patch.Name, release.Name)
		release.Description = ptr.Or(patch.Description, release.Description)
		release.Status = ptr.Or(patch.Status, release.Status)
		if err := mergePatch("extra_metadata", &release.ExtraMetadata, patch.ExtraMetadata); err != nil {
			return err
		}
		changed := audit.Compare(before, releaseMembers(release))
		if len(changed) == 0 {
			return nil
		}
		release, err = db.UpdateRelease(ctx, dbgen.UpdateReleaseParams{
			Now: time.Now(), AccountID: target.AccountID, ID: target.ID, Name: release.Name, Description: release.Description,
			Status: release.Status, ExtraMetadata: release.ExtraMetadata,
		})
		if err != nil {
			return postgres.Classify(err)
		}
		return audit.Record(ctx, db, releaseChange(release, "release.update", changed))
	})
	return release, err
}

// Delete removes a release; its versions stay.
func (r Releases) Delete(ctx context.Context, target etag.Ref) error {
	return r.DB.WithTx(ctx, func(db *postgres.DB) error {
		release, err := r.lock(ctx, db, target)
		if err != nil {
			return err
		}
		if err := db.DeleteRelease(ctx, dbgen.DeleteReleaseParams{AccountID: target.AccountID, ID: target.ID}); err != nil {
			return postgres.Classify(err)
		}
		return audit.Record(ctx, db, releaseChange(release, "release.delete", audit.Compare(releaseMembers(release), nil)))
	})
}

// AddVersion adds a version, in the place of another one of its product, and returns it. Adding it again changes nothing.
func (r Releases) AddVersion(ctx context.Context, target etag.Ref, versionID uuid.UUID) (version dbgen.VersionDetail, err error) {
	err = r.DB.WithTx(ctx, func(db *postgres.DB) error {
		release, err := r.lockEditable(ctx, db, target)
		if err != nil {
			return err
		}
		if version, err = db.GetVersion(ctx, dbgen.GetVersionParams{AccountID: target.AccountID, ID: versionID}); err != nil {
			return postgres.Classify(err)
		}
		replaced, err := db.GetVersionOfRelease(ctx, dbgen.GetVersionOfReleaseParams{AccountID: target.AccountID, ReleaseID: target.ID, ProductID: version.ProductID})
		if err = postgres.Classify(err); err != nil && !apperr.Is(err, apperr.NotFound) {
			return err
		}
		changed, err := db.PutReleaseVersion(ctx, dbgen.PutReleaseVersionParams{
			AccountID: target.AccountID, ReleaseID: target.ID, ProductID: version.ProductID, VersionID: versionID,
		})
		if err != nil || changed == 0 {
			return postgres.Classify(err)
		}
		return audit.Record(ctx, db, releaseChange(release, "release.add_version", audit.Compare(versionMember(replaced), versionMember(version))))
	})
	return version, err
}

// RemoveVersion takes a version out; the error is NotFound when it is not in the release.
func (r Releases) RemoveVersion(ctx context.Context, target etag.Ref, versionID uuid.UUID) error {
	return r.DB.WithTx(ctx, func(db *postgres.DB) error {
		release, err := r.lockEditable(ctx, db, target)
		if err != nil {
			return err
		}
		version, err := db.GetVersion(ctx, dbgen.GetVersionParams{AccountID: target.AccountID, ID: versionID})
		if err = postgres.Classify(err); apperr.Is(err, apperr.NotFound) { // of a deleted product
			version.Version = versionID.String()
		} else if err != nil {
			return err
		}
		removed, err := db.RemoveReleaseVersion(ctx, dbgen.RemoveReleaseVersionParams{AccountID: target.AccountID, ReleaseID: target.ID, VersionID: versionID})
		if err != nil {
			return postgres.Classify(err)
		}
		if removed == 0 {
			return apperr.New(apperr.NotFound, "Not found")
		}
		return audit.Record(ctx, db, releaseChange(release, "release.remove_version", audit.Compare(versionMember(version), versionMember(dbgen.VersionDetail{}))))
	})
}

func (r Releases) lock(ctx context.Context, db *postgres.DB, target etag.Ref) (dbgen.Release, error) {
	release, err := db.GetReleaseForUpdate(ctx, dbgen.GetReleaseForUpdateParams{AccountID: target.AccountID, ID: target.ID})
	if err != nil {
		return release, postgres.Classify(err)
	}
	return release, target.Verify(release.Revision)
}

// lockEditable locks a release and rejects one whose composition is final.
func (r Releases) lockEditable(ctx context.Context, db *postgres.DB, target etag.Ref) (dbgen.Release, error) {
	release, err := r.lock(ctx, db, target)
	if err == nil && (release.Status == completed || release.Status == cancelled) {
		err = apperr.New(apperr.Conflict, "The release is "+release.Status)
	}
	return release, err
}

// releaseMembers returns the members that the audit log has the values of.
func releaseMembers(release dbgen.Release) []audit.Member {
	return []audit.Member{
		{Name: "name", Value: release.Name}, {Name: "description", Value: release.Description}, {Name: "status", Value: release.Status}, {Name: "extra_metadata", Value: release.ExtraMetadata},
	}
}

// versionMember returns a version as a member of a release; the zero value is none.
func versionMember(version dbgen.VersionDetail) []audit.Member {
	return []audit.Member{{Name: "versions", Value: strings.TrimSpace(version.ProductName + " " + version.Version)}}
}

func releaseChange(release dbgen.Release, action string, values []audit.Value) audit.Change {
	return audit.Change{AccountID: release.AccountID, Action: action, ObjectType: "release", ObjectID: release.ID, ObjectName: release.Name, Values: values}
}
