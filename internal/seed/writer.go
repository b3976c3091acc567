package seed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/catalogue"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/notify"
	"github.com/versioner-io/versioner/internal/postgres"
)

// Account is the account that `versionerd dev` creates.
const Account = "demo"

const batchSize = 128

// ErrAccountNotEmpty reports that the account has a history.
var ErrAccountNotEmpty = errors.New("it has a history already")

// ErrInUse reports that the account has other data.
var ErrInUse = errors.New("it has data of its own")

// seeder writes a history to an account in one transaction.
type seeder struct {
	db      *postgres.DB
	history History
	account uuid.UUID
	keys    map[string]uuid.UUID // by CI system

	users    map[string]uuid.UUID // by login
	seen     map[string]time.Time // by login: the last change
	products map[string]uuid.UUID // by name
	versions map[[2]string]uuid.UUID
}

// Fill writes the history, and the account if it does not exist, or nothing. It reports the number of written events to progress. No
// notifications are sent. The error is ErrAccountNotEmpty or ErrInUse if the account has a history or other data.
func Fill(ctx context.Context, pool *postgres.Pool, keys *apikeys.Keys, channels notify.Channels, account string, history History, progress func(events int)) error {
	createPartitions := func(ctx context.Context) error { return pool.EnsureEventPartitions(ctx, history.Start, time.Now()) }
	if err := postgres.Retry(ctx, createPartitions); err != nil {
		return fmt.Errorf("create partitions: %w", err)
	}
	err := pool.WithTx(ctx, func(db *postgres.DB) error {
		s := &seeder{
			db: db, history: history, keys: make(map[string]uuid.UUID), users: make(map[string]uuid.UUID), seen: make(map[string]time.Time),
			products: make(map[string]uuid.UUID), versions: make(map[[2]string]uuid.UUID),
		}
		return s.fill(ctx, keys, channels, account, progress)
	})
	return postgres.Classify(err)
}

func (s *seeder) fill(ctx context.Context, keys *apikeys.Keys, channels notify.Channels, account string, progress func(int)) error {
	writeKeys := func(ctx context.Context) error { return s.writeKeys(ctx, keys, account) }
	writeEvents := func(ctx context.Context) error { return s.writeHistory(ctx, progress) }
	writeChannels := func(ctx context.Context) error { return s.writeChannels(ctx, channels) }
	if err := s.lockAccount(ctx, account); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		s.writeUsers, writeKeys, s.writeEnvironments, s.writeProducts, writeEvents, s.writeEdits, s.writeReleases, writeChannels, s.writeLastUses, s.writeUsers,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *seeder) writeHistory(ctx context.Context, progress func(int)) error {
	for done := 0; done < len(s.history.Events); {
		next := s.history.Events[done:min(done+batchSize, len(s.history.Events))]
		if err := s.writeEvents(ctx, next); err != nil {
			return err
		}
		done += len(next)
		progress(done)
	}
	return nil
}

// lockAccount locks the account and requires it to be unused.
func (s *seeder) lockAccount(ctx context.Context, slug string) error {
	account, err := s.db.EnsureAccount(ctx, dbgen.EnsureAccountParams{ID: uuid.Must(uuid.NewV7()), Slug: slug, Now: s.history.Start})
	if err != nil {
		return postgres.Classify(err)
	}
	s.account = account.ID
	known, err := s.db.ListAPIKeys(ctx, account.ID)
	if err != nil {
		return postgres.Classify(err)
	}
	for _, key := range known {
		if key.Description == keyDescription {
			return ErrAccountNotEmpty
		}
	}
	return s.checkUnused(ctx)
}

// checkUnused rejects an account with data.
func (s *seeder) checkUnused(ctx context.Context) error {
	events, err := s.db.CountEvents(ctx, dbgen.CountEventsParams{AccountID: s.account, UpTo: 1})
	if err != nil {
		return postgres.Classify(err)
	}
	products, err := s.db.ListProducts(ctx, dbgen.ListProductsParams{AccountID: s.account, RowLimit: 1})
	if err != nil {
		return postgres.Classify(err)
	}
	releases, err := s.db.ListReleases(ctx, dbgen.ListReleasesParams{AccountID: s.account, RowLimit: 1})
	if err != nil {
		return postgres.Classify(err)
	}
	if events > 0 || len(products) > 0 || len(releases) > 0 {
		return ErrInUse
	}
	return nil
}

// writeUsers writes the users, first when they join and finally with their last change. No user is an admin, as admins get mail.
func (s *seeder) writeUsers(ctx context.Context) error {
	for _, user := range s.history.Users {
		row, err := s.db.UpsertUser(ctx, dbgen.UpsertUserParams{
			AccountID: s.account, ID: uuid.Must(uuid.NewV7()), Subject: "demo|" + user.Login, Name: user.Name, Email: user.Email(),
			ClaimedRole: user.Role, Now: later(user.Joined, s.seen[user.Login]),
		})
		if err != nil {
			return postgres.Classify(err)
		}
		s.users[user.Login] = row.ID
	}
	return nil
}

// actingAs makes changes appear in the audit log as those of a user at a time.
func (s *seeder) actingAs(ctx context.Context, user User, at time.Time) context.Context {
	id := s.users[user.Login]
	s.seen[user.Login] = later(s.seen[user.Login], at)
	return audit.WithActor(ctx, audit.Actor{Type: "user", ID: &id, Name: user.Email(), Credential: "session demo", At: at})
}

// writeEnvironments creates missing environments.
func (s *seeder) writeEnvironments(ctx context.Context) error {
	for _, environment := range s.history.Environments {
		_, err := s.db.FindEnvironment(ctx, dbgen.FindEnvironmentParams{AccountID: s.account, Name: environment.Name})
		if err = postgres.Classify(err); err == nil {
			continue
		} else if apperr.CodeOf(err) != apperr.NotFound {
			return err
		}
		metadata := toJSON(map[string]any{"region": environment.Region})
		ctx := s.actingAs(ctx, environment.CreatedBy, environment.CreatedAt)
		made, err := catalogue.Environments{DB: s.db}.Create(ctx, s.account, environment.Name, nil, environment.Description, &metadata)
		if err == nil {
			err = postgres.Classify(s.db.SetEnvironmentTimes(ctx, dbgen.SetEnvironmentTimesParams{AccountID: s.account, ID: made.ID, At: environment.CreatedAt}))
		}
		if err != nil {
			return fmt.Errorf("environment %q: %w", environment.Name, err)
		}
	}
	return nil
}

func (s *seeder) writeProducts(ctx context.Context) error {
	for _, product := range s.history.Products {
		metadata := toJSON(map[string]any{"team": product.Team, "language": product.Language, "repository": product.repository()})
		ctx := s.actingAs(ctx, product.CreatedBy, product.CreatedAt)
		made, err := catalogue.Products{DB: s.db}.Create(ctx, s.account, product.Name, product.Description, &metadata)
		if err != nil {
			return fmt.Errorf("product %q: %w", product.Name, err)
		}
		s.products[product.Name] = made.ID
		if err := s.db.SetProductTimes(ctx, dbgen.SetProductTimesParams{AccountID: s.account, ID: made.ID, At: product.CreatedAt}); err != nil {
			return postgres.Classify(err)
		}
	}
	return nil
}

// writeEvents records events, builds first: they do not depend on deployments.
func (s *seeder) writeEvents(ctx context.Context, events []Event) error {
	var builds, deployments []ingest.Backdated
	for _, event := range events {
		one := ingest.Backdated{At: event.At, Event: event.ingest()}
		one.Event.AccountID, one.Event.APIKeyID, one.Event.Body = s.account, s.keys[event.SourceSystem], toJSON(event)
		if err := one.Event.Normalize(); err != nil {
			return err
		}
		if event.IsBuild {
			builds = append(builds, one)
		} else {
			deployments = append(deployments, one)
		}
	}
	recorded, err := ingest.RecordBackdated(ctx, s.db, builds)
	if err != nil {
		return err
	}
	for _, build := range recorded {
		s.versions[[2]string{build.ProductName, build.Version}] = build.Subject.VersionID
	}
	_, err = ingest.RecordBackdated(ctx, s.db, deployments)
	return err
}

func (s *seeder) writeEdits(ctx context.Context) error {
	for _, edit := range s.history.Edits {
		ctx := s.actingAs(ctx, edit.By, edit.At)
		target := etag.Ref{AccountID: s.account, ID: s.products[edit.Product]}
		if _, err := (catalogue.Products{DB: s.db}).Update(ctx, target, catalogue.ProductPatch{Description: &edit.Description}); err != nil {
			return fmt.Errorf("product %q: %w", edit.Product, err)
		}
		if err := s.db.SetProductTimes(ctx, dbgen.SetProductTimesParams{AccountID: s.account, ID: target.ID, At: edit.At}); err != nil {
			return postgres.Classify(err)
		}
	}
	return nil
}

func (s *seeder) writeReleases(ctx context.Context) error {
	for _, release := range s.history.Releases {
		if err := s.writeRelease(ctx, release); err != nil {
			return fmt.Errorf("release %q: %w", release.Name, err)
		}
	}
	return nil
}

func (s *seeder) writeRelease(ctx context.Context, release Release) error {
	releases := catalogue.Releases{DB: s.db}
	made, err := releases.Create(s.actingAs(ctx, release.CreatedBy, release.CreatedAt), s.account, release.Name, release.Description, "draft", nil)
	if err != nil {
		return err
	}
	target := etag.Ref{AccountID: s.account, ID: made.ID}
	times := []time.Time{release.CreatedAt}
	for _, step := range release.Steps {
		ctx := s.actingAs(ctx, step.By, step.At)
		if step.Status != "" {
			_, err = releases.Update(ctx, target, catalogue.ReleasePatch{Status: &step.Status})
			times = append(times, step.At)
		} else {
			_, err = releases.AddVersion(ctx, target, s.versions[[2]string{step.Product, step.Version}])
		}
		if err != nil {
			return err
		}
	}
	for _, at := range times {
		if err := s.db.SetReleaseTimes(ctx, dbgen.SetReleaseTimesParams{AccountID: s.account, ID: target.ID, At: at}); err != nil {
			return postgres.Classify(err)
		}
	}
	return nil
}

// ingest converts the event.
func (e Event) ingest() ingest.Event {
	event := ingest.Event{
		Kind: ingest.Deployment, ProductName: e.Product, Version: e.Version, EnvironmentName: e.Environment, Status: e.Status, InvokeID: e.InvokeID,
		Details: ingest.Details{
			SourceSystem: e.SourceSystem, BuildNumber: e.BuildNumber, SHA: e.SHA, Branch: e.Branch, Repository: e.Repository,
			URL: e.DeployURL, By: e.DeployedBy, ByEmail: e.DeployerEmail, ByName: e.DeployerName,
		},
		Metadata: toJSON(e.Metadata),
	}
	if e.IsBuild {
		event.Kind, event.EnvironmentName = ingest.Build, ""
		event.URL, event.By, event.ByEmail, event.ByName = e.BuildURL, e.BuiltBy, e.BuiltByEmail, e.BuiltByName
		event.ErrorMessage, event.ErrorCode = e.ErrorMessage, e.ErrorCode
	}
	return event
}

// toJSON marshals values that always can be.
func toJSON(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}
