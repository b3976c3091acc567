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
	"github.com/versioner-io/versioner/internal/postgres"
)

// Account is the one that `versionerd dev` makes, for trying out.
const Account = "demo"

const (
	keyName = "demo history" // of the key that all events come by: it tells that an account has a history

	window            = 128 // events in one round trip
	partitionPatience = 10 * time.Second
)

// ErrFilled says that the account has a history already.
var ErrFilled = errors.New("it has a history already")

// ErrInUse says that the account is somebody's own.
var ErrInUse = errors.New("it has data of its own")

// filler fills one account, in one transaction.
type filler struct {
	db      *postgres.DB
	history History
	account uuid.UUID
	key     uuid.UUID

	users    map[string]uuid.UUID // by login
	seen     map[string]time.Time // by login: when they last changed something
	products map[string]uuid.UUID // by name
	versions map[[2]string]uuid.UUID
}

// Fill makes the account, unless it is there, and all of the history, or nothing at all. It tells progress how many events
// it has written. Nobody is notified of anything. The error is ErrFilled or ErrInUse for an account that it leaves alone.
func Fill(ctx context.Context, pool *postgres.Pool, keys *apikeys.Keys, account string, history History, progress func(events int)) error {
	if err := postgres.Retry(ctx, partitionPatience, func(ctx context.Context) error {
		return pool.EnsureEventPartitions(ctx, history.Start, time.Now())
	}); err != nil {
		return fmt.Errorf("prepare the months of the history: %w", err)
	}
	err := pool.Share(ctx, func(ctx context.Context, db *postgres.DB) error {
		f := &filler{
			db: db, history: history, users: make(map[string]uuid.UUID), seen: make(map[string]time.Time),
			products: make(map[string]uuid.UUID), versions: make(map[[2]string]uuid.UUID),
		}
		return f.fill(ctx, keys, account, progress)
	})
	return postgres.Classify(err)
}

func (f *filler) fill(ctx context.Context, keys *apikeys.Keys, account string, progress func(int)) error {
	if err := f.claim(ctx, keys, account); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{f.people, f.environments, f.makeProducts} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	for done := 0; done < len(f.history.Events); {
		next := f.history.Events[done:min(done+window, len(f.history.Events))]
		if err := f.events(ctx, next); err != nil {
			return err
		}
		done += len(next)
		progress(done)
	}
	if err := f.edits(ctx); err != nil {
		return err
	}
	for _, release := range f.history.Releases {
		if err := f.release(ctx, release); err != nil {
			return fmt.Errorf("release %q: %w", release.Name, err)
		}
	}
	if err := f.people(ctx); err != nil {
		return err
	}
	return postgres.Classify(f.db.UpdateAPIKeysLastUsed(ctx, dbgen.UpdateAPIKeysLastUsedParams{
		AccountIDs: []uuid.UUID{f.account}, IDs: []uuid.UUID{f.key}, UsedAt: []time.Time{f.history.Events[len(f.history.Events)-1].At},
	}))
}

// claim locks the account and makes sure that it is nobody's, and makes the key that the events come by. Nobody ever learns
// that key.
func (f *filler) claim(ctx context.Context, keys *apikeys.Keys, slug string) error {
	account, err := f.db.EnsureAccount(ctx, dbgen.EnsureAccountParams{ID: uuid.Must(uuid.NewV7()), Slug: slug, Now: f.history.Start})
	if err != nil {
		return postgres.Classify(err)
	}
	f.account = account.ID
	known, err := f.db.ListAPIKeys(ctx, account.ID)
	if err != nil {
		return postgres.Classify(err)
	}
	for _, key := range known {
		if key.Name == keyName {
			return ErrFilled
		}
	}
	if err := f.checkUnused(ctx); err != nil {
		return err
	}
	ctx = audit.WithActor(ctx, audit.Actor{Type: "command", Name: "versionerd", Credential: "shell", At: f.history.Start})
	made, err := keys.CreateInAccount(ctx, slug, apikeys.NewKey{Name: keyName, Description: "What versionerd demo told came by it. Nobody has it."})
	if err != nil {
		return err
	}
	f.key = made.ID
	return postgres.Classify(f.db.SetAPIKeyCreatedAt(ctx, dbgen.SetAPIKeyCreatedAtParams{AccountID: f.account, ID: f.key, At: f.history.Start}))
}

// checkUnused rejects an account that has data of its own.
func (f *filler) checkUnused(ctx context.Context) error {
	events, err := f.db.CountEvents(ctx, dbgen.CountEventsParams{AccountID: f.account, UpTo: 1})
	if err != nil {
		return postgres.Classify(err)
	}
	products, err := f.db.ListProducts(ctx, dbgen.ListProductsParams{AccountID: f.account, RowLimit: 1})
	if err != nil {
		return postgres.Classify(err)
	}
	releases, err := f.db.ListReleases(ctx, dbgen.ListReleasesParams{AccountID: f.account, RowLimit: 1})
	if err != nil {
		return postgres.Classify(err)
	}
	if events > 0 || len(products) > 0 || len(releases) > 0 {
		return ErrInUse
	}
	return nil
}

// people are those who change something, as if they had signed in; in the end, when they did so last. None is an admin: admins
// get mail.
func (f *filler) people(ctx context.Context) error {
	for _, person := range f.history.People {
		user, err := f.db.UpsertUser(ctx, dbgen.UpsertUserParams{
			AccountID: f.account, ID: uuid.Must(uuid.NewV7()), Subject: "demo|" + person.Login, Name: person.Name, Email: person.Email(),
			ClaimedRole: person.Role, Now: later(person.Joined, f.seen[person.Login]),
		})
		if err != nil {
			return postgres.Classify(err)
		}
		f.users[person.Login] = user.ID
	}
	return nil
}

// as is what a person does at a time.
func (f *filler) as(ctx context.Context, person Person, at time.Time) context.Context {
	user := f.users[person.Login]
	f.seen[person.Login] = later(f.seen[person.Login], at)
	return audit.WithActor(ctx, audit.Actor{Type: "user", ID: &user, Name: person.Email(), Credential: "session demo", At: at})
}

// environments that are there already stay as they are.
func (f *filler) environments(ctx context.Context) error {
	for _, environment := range f.history.Environments {
		_, err := f.db.FindEnvironment(ctx, dbgen.FindEnvironmentParams{AccountID: f.account, Name: environment.Name})
		if err = postgres.Classify(err); err == nil {
			continue
		} else if apperr.CodeOf(err) != apperr.NotFound {
			return err
		}
		metadata := toJSON(map[string]any{"region": environment.Region})
		ctx := f.as(ctx, environment.CreatedBy, environment.CreatedAt)
		made, err := catalogue.Environments{DB: f.db}.Create(ctx, f.account, environment.Name, nil, environment.Description, &metadata)
		if err == nil {
			err = postgres.Classify(f.db.SetEnvironmentTimes(ctx, dbgen.SetEnvironmentTimesParams{AccountID: f.account, ID: made.ID, At: environment.CreatedAt}))
		}
		if err != nil {
			return fmt.Errorf("environment %q: %w", environment.Name, err)
		}
	}
	return nil
}

// makeProducts fails when a name is taken: then the account is not what it seems.
func (f *filler) makeProducts(ctx context.Context) error {
	for _, product := range f.history.Products {
		metadata := toJSON(map[string]any{"team": product.Team, "language": product.Language, "repository": product.Repository()})
		ctx := f.as(ctx, product.CreatedBy, product.CreatedAt)
		made, err := catalogue.Products{DB: f.db}.Create(ctx, f.account, product.Name, product.Description, &metadata)
		if apperr.CodeOf(err) == apperr.Conflict {
			return fmt.Errorf("%w: a product %q", ErrInUse, product.Name)
		}
		if err != nil {
			return fmt.Errorf("product %q: %w", product.Name, err)
		}
		f.products[product.Name] = made.ID
		if err := f.db.SetProductTimes(ctx, dbgen.SetProductTimesParams{AccountID: f.account, ID: made.ID, At: product.CreatedAt}); err != nil {
			return postgres.Classify(err)
		}
	}
	return nil
}

// events records some events. Builds go first: no rule makes a build depend on a deployment.
func (f *filler) events(ctx context.Context, events []Event) error {
	var builds, deployments []ingest.Backdated
	for _, event := range events {
		one := ingest.Backdated{At: event.At, Event: event.ingest()}
		one.Event.AccountID, one.Event.APIKeyID, one.Event.Body = f.account, f.key, toJSON(event)
		if err := one.Event.Normalize(); err != nil {
			return err
		}
		if event.IsBuild {
			builds = append(builds, one)
		} else {
			deployments = append(deployments, one)
		}
	}
	recorded, err := ingest.RecordBackdated(ctx, f.db, builds)
	if err != nil {
		return err
	}
	for _, build := range recorded {
		f.versions[[2]string{build.ProductName, build.Version}] = build.Subject.VersionID
	}
	_, err = ingest.RecordBackdated(ctx, f.db, deployments)
	return err
}

func (f *filler) edits(ctx context.Context) error {
	for _, edit := range f.history.Edits {
		ctx := f.as(ctx, edit.By, edit.At)
		target := etag.Ref{AccountID: f.account, ID: f.products[edit.Product]}
		if _, err := (catalogue.Products{DB: f.db}).Update(ctx, target, catalogue.ProductPatch{Description: &edit.Description}); err != nil {
			return fmt.Errorf("product %q: %w", edit.Product, err)
		}
		if err := f.db.SetProductTimes(ctx, dbgen.SetProductTimesParams{AccountID: f.account, ID: target.ID, At: edit.At}); err != nil {
			return postgres.Classify(err)
		}
	}
	return nil
}

func (f *filler) release(ctx context.Context, release Release) error {
	releases := catalogue.Releases{DB: f.db}
	made, err := releases.Create(f.as(ctx, release.CreatedBy, release.CreatedAt), f.account, release.Name, release.Description, "draft", nil)
	if err != nil {
		return err
	}
	target := etag.Ref{AccountID: f.account, ID: made.ID}
	times := []time.Time{release.CreatedAt}
	for _, step := range release.Steps {
		ctx := f.as(ctx, step.By, step.At)
		if step.Status != "" {
			_, err = releases.Update(ctx, target, catalogue.ReleasePatch{Status: &step.Status})
			times = append(times, step.At)
		} else {
			_, err = releases.AddVersion(ctx, target, f.versions[[2]string{step.Product, step.Version}])
		}
		if err != nil {
			return err
		}
	}
	for _, at := range times {
		if err := f.db.SetReleaseTimes(ctx, dbgen.SetReleaseTimesParams{AccountID: f.account, ID: target.ID, At: at}); err != nil {
			return postgres.Classify(err)
		}
	}
	return nil
}

// ingest returns the event as a CI system reports it.
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

// toJSON writes what is known to be writable.
func toJSON(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}
