package seed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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

const (
	batchSize  = 128
	credential = "session demo" // of all changes of a history
	timeout    = 10 * minute    // of the transaction, which is longer than those of requests
	retention  = 89 * day       // shorter than that of deliveries, which are deleted after 90 days
)

// ErrInUse reports that the account has data.
var ErrInUse = errors.New("it has data already")

// writer writes a history to an account in one transaction.
type writer struct {
	db       *postgres.DB
	keys     *apikeys.Keys
	channels notify.Channels
	history  History
	account  uuid.UUID
	ids      map[string]uuid.UUID // of all objects, by name
}

// Fill writes the history, and the account if it does not exist, or nothing. It reports the number of written events to progress. No
// notifications are sent. The error is ErrInUse if the account has data.
func Fill(ctx context.Context, pool *postgres.Pool, keys *apikeys.Keys, channels notify.Channels, account string, history History, progress func(events int)) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	began := time.Now().Add(-minute) // the clock of the database may be slow
	createPartitions := func(ctx context.Context) error { return pool.EnsureEventPartitions(ctx, history.Start, time.Now()) }
	if err := postgres.Retry(ctx, createPartitions); err != nil {
		return fmt.Errorf("create partitions: %w", err)
	}
	return postgres.Classify(pool.WithTx(ctx, func(db *postgres.DB) error {
		row, err := db.EnsureAccount(ctx, dbgen.EnsureAccountParams{ID: uuid.Must(uuid.NewV7()), Slug: account, Now: history.Start})
		if err != nil {
			return postgres.Classify(err)
		}
		if inUse, err := db.HasData(ctx, row.ID); err != nil || inUse {
			return cmp.Or(postgres.Classify(err), ErrInUse)
		}
		w := &writer{db: db, keys: keys, channels: channels, history: history, account: row.ID, ids: make(map[string]uuid.UUID)}
		if err := w.writeHistory(ctx, progress); err != nil {
			return err
		}
		if err := w.writeDeliveries(ctx); err != nil {
			return err
		}
		if err := w.writeGovernance(ctx); err != nil {
			return err
		}
		if err := db.DiscardSampleJobs(ctx, dbgen.DiscardSampleJobsParams{AccountID: row.ID, Since: began}); err != nil {
			return postgres.Classify(err)
		}
		if err := db.NotifyGovernanceChange(ctx, row.ID); err != nil { // servers learn of the rules with the commit
			return postgres.Classify(err)
		}
		return postgres.Classify(db.SetSampleTimes(ctx, dbgen.SetSampleTimesParams{AccountID: row.ID, Credential: credential}))
	}))
}

// writeHistory writes the changes of releases after the events that create their versions, and all others before.
func (w *writer) writeHistory(ctx context.Context, progress func(int)) error {
	isRelease := func(change Change) bool { return strings.HasPrefix(change.Action, "release.") }
	if err := w.writeChanges(ctx, func(change Change) bool { return !isRelease(change) }); err != nil {
		return err
	}
	done := 0
	for batch := range slices.Chunk(w.history.Events, batchSize) {
		if err := w.writeEvents(ctx, batch); err != nil {
			return err
		}
		done += len(batch)
		progress(done)
	}
	return w.writeChanges(ctx, isRelease)
}

func (w *writer) writeChanges(ctx context.Context, matches func(Change) bool) error {
	for _, change := range w.history.Changes {
		if !matches(change) {
			continue
		}
		if err := w.writeChange(ctx, change); err != nil {
			return fmt.Errorf("%s of %q: %w", change.Action, change.Object, err)
		}
	}
	return nil
}

// writeEvents records events, builds first: they do not depend on deployments.
func (w *writer) writeEvents(ctx context.Context, events []Event) error {
	batches := make(map[ingest.Kind][]ingest.Backdated)
	for _, event := range events {
		event.AccountID, event.APIKeyID = w.account, w.ids[ciSystems()[event.SourceSystem].name]
		if err := event.Normalize(); err != nil {
			return err
		}
		batches[event.Kind] = append(batches[event.Kind], ingest.Backdated{At: event.At, Event: event.Event})
	}
	for _, kind := range []ingest.Kind{ingest.Build, ingest.Deployment} {
		recorded, err := ingest.RecordBackdated(ctx, w.db, batches[kind])
		if err != nil {
			return err
		}
		for _, one := range recorded {
			w.ids[one.ProductName+" "+one.Version] = one.Subject.VersionID
			w.ids[one.EnvironmentName] = one.Subject.EnvironmentID
		}
	}
	return nil
}

// writeChange makes a change as its user. No user is an admin, as admins get mail.
func (w *writer) writeChange(ctx context.Context, change Change) (err error) {
	id, by, metadata := w.ids[change.Object], w.ids[change.By.Name], toJSON(change.Metadata)
	ctx = audit.WithActor(ctx, audit.Actor{Type: "user", ID: &by, Name: change.By.email(), Credential: credential, At: change.At})
	target := etag.Ref{AccountID: w.account, ID: id}
	environments, products, releases := catalogue.Environments{DB: w.db}, catalogue.Products{DB: w.db}, catalogue.Releases{DB: w.db}
	switch change.Action {
	case userSignIn:
		var user dbgen.User
		user, err = w.db.UpsertUser(ctx, dbgen.UpsertUserParams{
			AccountID: w.account, ID: uuid.Must(uuid.NewV7()), Subject: "demo|" + change.By.login(), Name: change.By.Name, Email: change.By.email(), ClaimedRole: change.By.Role, Now: change.At,
		})
		id = user.ID
	case "api_key.create":
		var key apikeys.CreatedKey
		key, err = w.keys.Create(ctx, w.db, w.account, apikeys.NewKey{Name: change.Object, Description: change.Value, CreatedBy: &by})
		id = key.ID
	case "api_key.revoke":
		err = w.keys.Revoke(ctx, w.db, target)
	case "environment.create":
		if _, err = environments.Create(ctx, w.account, change.Object, nil, change.Value, &metadata); apperr.CodeOf(err) == apperr.Conflict {
			return nil // the account has it
		}
	case "product.create":
		var product dbgen.Product
		product, err = products.Create(ctx, w.account, change.Object, change.Value, &metadata)
		id = product.ID
	case "product.update":
		_, err = products.Update(ctx, target, catalogue.ProductPatch{Description: &change.Value})
	case "release.create":
		var release dbgen.Release
		release, err = releases.Create(ctx, w.account, change.Object, change.Value, "draft", nil)
		id = release.ID
	case "release.add_version":
		_, err = releases.AddVersion(ctx, target, w.ids[change.Value])
	case "release.update":
		_, err = releases.Update(ctx, target, catalogue.ReleasePatch{Status: &change.Value})
	case "notification_channel.create":
		id, err = w.writeChannel(ctx, change.Object)
	}
	w.ids[change.Object] = id
	return postgres.Classify(err)
}

// writeChannel creates a channel with its preferences.
func (w *writer) writeChannel(ctx context.Context, name string) (uuid.UUID, error) {
	one := channels()[slices.IndexFunc(channels(), func(one channel) bool { return one.name == name })]
	config := notify.ConfigPatch{URL: &one.address}
	if one.kind == notify.TypeSlack {
		config = notify.ConfigPatch{WebhookURL: &one.address}
	}
	made, err := w.channels.Create(ctx, w.db, w.account, name, one.kind, config, true)
	for _, to := range one.subscriptions {
		if err == nil {
			_, err = notify.Preferences{DB: w.db}.Create(ctx, w.account, made.ID, "deployment."+to.status, notify.Filters{Environments: to.environments})
		}
	}
	return made.ID, err
}

// writeDeliveries records what the channels were sent. A receiver that was removed answered the last one with 410.
func (w *writer) writeDeliveries(ctx context.Context) error {
	var rows []map[string]any
	r := newRand(uint64(len(w.history.Events)))
	for _, channel := range channels() {
		until := w.history.End.Add(-minute)
		if channel.removed {
			until = until.Add(-until.Sub(w.history.Start) / 3)
		}
		for _, to := range channel.subscriptions {
			events, err := w.db.ListPastDeployments(ctx, dbgen.ListPastDeploymentsParams{
				AccountID: w.account, Status: to.status, Environments: to.environments, Until: until,
				Since: slices.MaxFunc([]time.Time{w.history.Start.Add(10 * time.Hour), until.Add(-retention)}, time.Time.Compare),
			})
			if err != nil {
				return postgres.Classify(err)
			}
			for i, event := range events {
				row := map[string]any{
					"id": uuid.Must(uuid.NewV7()), "channel_id": w.ids[channel.name], "event_type": "deployment." + to.status, "event_id": event.ID, "subject_id": event.SubjectID,
					"payload": event.Payload, "status": "delivered", "attempts": 1, "response_status": 200, "latency_ms": 40 + r.IntN(400),
					"created_at": event.ReceivedAt, "finished_at": event.ReceivedAt.Add(time.Duration(1000+r.IntN(2000)) * time.Millisecond),
				}
				if channel.removed && i == len(events)-1 {
					row["status"], row["response_status"], row["error_class"] = "failed", 410, "gone"
				} else if r.IntN(50) == 0 {
					row["status"], row["response_status"], row["error_class"] = "failed", 400, "http_4xx"
				}
				rows = append(rows, row)
			}
		}
	}
	return postgres.Classify(w.db.InsertPastDeliveries(ctx, dbgen.InsertPastDeliveriesParams{AccountID: w.account, Rows: toJSON(rows)}))
}
