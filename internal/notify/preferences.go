package notify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
	"github.com/versioner-io/versioner/internal/quota"
)

// Preferences manages the event types that channels are notified of.
type Preferences struct {
	DB  *postgres.DB
	Max int // in an account; 0 is unlimited
}

// Filters select events by names or identifiers of products and environments, and by status. An empty one selects all; a name
// need not exist yet.
type Filters struct{ Environments, Products, Statuses []string }

// PreferencePatch changes the members that are not nil.
type PreferencePatch struct {
	EventType *string
	Filters   Filters // member by member
}

// Create creates a preference of an existing channel.
func (p Preferences) Create(ctx context.Context, accountID, channelID uuid.UUID, eventType string, filters Filters) (preference dbgen.NotificationPreference, err error) {
	eventType, filters, err = normalizePreference(eventType, filters)
	if err != nil {
		return preference, err
	}
	err = p.DB.WithTx(ctx, func(db *postgres.DB) error {
		// Locked, so that it is not deleted concurrently.
		_, err := db.GetNotificationChannelForUpdate(ctx, dbgen.GetNotificationChannelForUpdateParams{AccountID: accountID, ID: channelID})
		if err != nil {
			return postgres.Classify(err)
		}
		preference, err = db.CreateNotificationPreference(ctx, dbgen.CreateNotificationPreferenceParams{
			AccountID: accountID, ID: uuid.Must(uuid.NewV7()), ChannelID: channelID, EventType: eventType, Now: time.Now(),
			Environments: filters.Environments, Products: filters.Products, Statuses: filters.Statuses,
		})
		if err != nil {
			return postgres.Classify(err)
		}
		if err := quota.Check(ctx, db, accountID, quota.Preferences, p.Max); err != nil {
			return err
		}
		return audit.Record(ctx, db, preferenceChange(preference, "notification_preference.create", audit.Compare(nil, preferenceMembers(preference))))
	})
	return preference, err
}

// Update changes a preference, but not its channel.
func (p Preferences) Update(ctx context.Context, target etag.Ref, patch PreferencePatch) (preference dbgen.NotificationPreference, err error) {
	err = p.DB.WithTx(ctx, func(db *postgres.DB) error {
		before, err := p.lock(ctx, db, target)
		if err != nil {
			return err
		}
		changed, err := patch.apply(before)
		if err != nil {
			return err
		}
		values := audit.Compare(preferenceMembers(before), preferenceMembers(changed))
		if len(values) == 0 {
			preference = before
			return nil
		}
		preference, err = db.UpdateNotificationPreference(ctx, dbgen.UpdateNotificationPreferenceParams{
			AccountID: target.AccountID, ID: target.ID, EventType: changed.EventType, Now: time.Now(),
			Environments: changed.Environments, Products: changed.Products, Statuses: changed.Statuses,
		})
		if err != nil {
			return postgres.Classify(err)
		}
		return audit.Record(ctx, db, preferenceChange(preference, "notification_preference.update", values))
	})
	return preference, err
}

// apply returns the preference with the members of the patch, normalized.
func (p PreferencePatch) apply(preference dbgen.NotificationPreference) (_ dbgen.NotificationPreference, err error) {
	filters := Filters{Environments: preference.Environments, Products: preference.Products, Statuses: preference.Statuses}
	if p.Filters.Environments != nil {
		filters.Environments = p.Filters.Environments
	}
	if p.Filters.Products != nil {
		filters.Products = p.Filters.Products
	}
	if p.Filters.Statuses != nil {
		filters.Statuses = p.Filters.Statuses
	}
	preference.EventType, filters, err = normalizePreference(ptr.Or(p.EventType, preference.EventType), filters)
	preference.Environments, preference.Products, preference.Statuses = filters.Environments, filters.Products, filters.Statuses
	return preference, err
}

// Delete removes a preference.
func (p Preferences) Delete(ctx context.Context, target etag.Ref) error {
	return p.DB.WithTx(ctx, func(db *postgres.DB) error {
		preference, err := p.lock(ctx, db, target)
		if err != nil {
			return err
		}
		if err := db.DeleteNotificationPreference(ctx, dbgen.DeleteNotificationPreferenceParams{AccountID: target.AccountID, ID: target.ID}); err != nil {
			return postgres.Classify(err)
		}
		return audit.Record(ctx, db, preferenceChange(preference, "notification_preference.delete", audit.Compare(preferenceMembers(preference), nil)))
	})
}

func (p Preferences) lock(ctx context.Context, db *postgres.DB, target etag.Ref) (dbgen.NotificationPreference, error) {
	preference, err := db.GetNotificationPreferenceForUpdate(ctx, dbgen.GetNotificationPreferenceForUpdateParams{AccountID: target.AccountID, ID: target.ID})
	if err != nil {
		return preference, postgres.Classify(err)
	}
	return preference, target.Verify(preference.Revision)
}

// normalizePreference returns the canonical event type and filters, and rejects filters that could never match.
func normalizePreference(eventType string, filters Filters) (string, Filters, error) {
	if word, isOfVersion := strings.CutPrefix(eventType, "version."); isOfVersion {
		if status, isStatus := ingest.ParseStatus(word); isStatus {
			eventType = "build." + string(status)
		}
	}
	var problems filterProblems
	filters.Environments = problems.normalizeNames("environments", filters.Environments)
	filters.Products = problems.normalizeNames("products", filters.Products)
	filters.Statuses = problems.normalizeStatuses(filters.Statuses)
	kind, of, _ := strings.Cut(eventType, ".")
	if kind == "build" && len(filters.Environments) > 0 {
		problems.add("builds have no environment", "value_error.environments", "environments")
	}
	_, isStatus := ingest.ParseStatus(of)
	if kind != "deployment" && kind != "build" && len(filters.Statuses) > 0 {
		problems.add("events of this type have no status", "value_error.statuses", "statuses")
	} else if isStatus && len(filters.Statuses) > 0 && !slices.Contains(filters.Statuses, of) {
		problems.add(fmt.Sprintf("events of the type %s have the status %s alone", eventType, of), "value_error.statuses", "statuses")
	}
	if len(problems) > 0 {
		return "", filters, apperr.NewInvalid(problems...)
	}
	return eventType, filters, nil
}

// filterProblems collects the problems of the filters of a request.
type filterProblems []apperr.Field

func (p *filterProblems) add(text, kind string, loc ...any) {
	*p = append(*p, apperr.Field{Loc: append([]any{"body", "filters"}, loc...), Msg: text, Type: kind})
}

// normalizeNames returns the normalized names without duplicates.
func (p *filterProblems) normalizeNames(member string, names []string) []string {
	normalized := make([]string, 0, len(names))
	for i, name := range names {
		if name, _ = ingest.NormalizeName(name); name == "" {
			p.add("must not be blank", "value_error.any_str.min_length", member, i)
		} else if !slices.Contains(normalized, name) {
			normalized = append(normalized, name)
		}
	}
	return normalized
}

// normalizeStatuses returns the statuses that the words stand for, without duplicates.
func (p *filterProblems) normalizeStatuses(words []string) []string {
	statuses := make([]string, 0, len(words))
	for i, word := range words {
		status, known := ingest.ParseStatus(word)
		if !known {
			p.add("not a status: use one of "+strings.Join(ingest.StatusAliases(), ", "), "value_error.status", "statuses", i)
		} else if !slices.Contains(statuses, string(status)) {
			statuses = append(statuses, string(status))
		}
	}
	return statuses
}

// preferenceMembers returns the members that the audit log has the values of.
func preferenceMembers(preference dbgen.NotificationPreference) []audit.Member {
	filters := make(map[string][]string)
	for name, filter := range map[string][]string{"environments": preference.Environments, "products": preference.Products, "statuses": preference.Statuses} {
		if len(filter) > 0 {
			filters[name] = filter
		}
	}
	return []audit.Member{{Name: "channel_id", Value: preference.ChannelID}, {Name: "event_type", Value: preference.EventType}, {Name: "filters", Value: filters}}
}

func preferenceChange(preference dbgen.NotificationPreference, action string, values []audit.Value) audit.Change {
	return audit.Change{
		AccountID: preference.AccountID, Action: action, ObjectType: "notification_preference", ObjectID: preference.ID, ObjectName: preference.EventType, Values: values,
	}
}
