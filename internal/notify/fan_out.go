package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/tidwall/gjson"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/postgres"
)

// maxErrorText bounds the error text of a message, in characters.
const maxErrorText = 4000

// fanOutWorker makes deliveries of the events that an ingest batch has recorded. The job is inserted in the transaction of the
// events: no event without its notifications, no notification without its event. A repeated job inserts nothing twice.
type fanOutWorker struct {
	river.WorkerDefaults[ingest.FanOutArgs]

	db    *postgres.DB
	quota deliveryQuota
}

// Work matches the events with the preferences of their accounts, account by account. One that fails does not keep the others
// from their notifications.
func (w *fanOutWorker) Work(ctx context.Context, job *river.Job[ingest.FanOutArgs]) error {
	var failures []error
	for events := slices.Clone(job.Args.Events); len(events) > 0; {
		account := events[0].AccountID
		isOther := func(e ingest.FanOutEvent) bool { return e.AccountID != account }
		failures = append(failures, w.fanOut(ctx, account, slices.DeleteFunc(slices.Clone(events), isOther)))
		events = slices.DeleteFunc(events, func(e ingest.FanOutEvent) bool { return !isOther(e) })
	}
	return errors.Join(failures...)
}

func (w *fanOutWorker) fanOut(ctx context.Context, account uuid.UUID, events []ingest.FanOutEvent) error {
	audience, err := w.load(ctx, account, events)
	if err != nil {
		return postgres.Classify(err)
	}
	params := dbgen.InsertDeliveriesParams{AccountID: account, Now: time.Now()}
	for _, event := range events {
		channels := audience.channelsOf(event)
		if len(channels) == 0 {
			continue
		}
		message, err := json.Marshal(payloadOf(event))
		if err != nil {
			return fmt.Errorf("encode a payload: %w", err)
		}
		for _, channel := range channels {
			params.IDs, params.ChannelIDs = append(params.IDs, uuid.Must(uuid.NewV7())), append(params.ChannelIDs, channel)
			params.EventTypes, params.EventIDs = append(params.EventTypes, event.EventType), append(params.EventIDs, event.EventID)
			params.SubjectIDs, params.Payloads = append(params.SubjectIDs, event.SubjectID), append(params.Payloads, message)
		}
	}
	if len(params.IDs) == 0 {
		return nil
	}
	return w.insert(ctx, account, params)
}

// insert stores deliveries and enqueues those within the account's quota. Those that exceed it are cancelled.
func (w *fanOutWorker) insert(ctx context.Context, account uuid.UUID, params dbgen.InsertDeliveriesParams) error {
	var granted grant
	err := w.db.WithTx(ctx, func(db *postgres.DB) error {
		inserted, err := db.InsertDeliveries(ctx, params)
		if err != nil || len(inserted) == 0 {
			return postgres.Classify(err)
		}
		if granted, err = w.quota.reserve(ctx, db, account, len(inserted)); err != nil {
			return err
		}
		if err := cancelOverQuota(ctx, db, account, inserted[granted.allowed:]); err != nil {
			return err
		}
		jobs := make([]deliverArgs, granted.allowed)
		for i, delivery := range inserted[:granted.allowed] {
			jobs[i] = deliverArgs{AccountID: account, ChannelID: delivery.ChannelID, DeliveryID: delivery.ID, Generation: 1}
		}
		return enqueue(ctx, db, jobs...)
	})
	if err == nil {
		w.quota.warn(ctx, account, granted)
	}
	return postgres.Classify(err)
}

func cancelOverQuota(ctx context.Context, db *postgres.DB, account uuid.UUID, deliveries []dbgen.InsertDeliveriesRow) error {
	if len(deliveries) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, len(deliveries))
	for i, delivery := range deliveries {
		ids[i] = delivery.ID
	}
	return postgres.Classify(db.CancelDeliveriesOverQuota(ctx, dbgen.CancelDeliveriesOverQuotaParams{AccountID: account, IDs: ids, Now: time.Now()}))
}

// audience holds an account's preferences and the names that their filters refer to.
type audience struct {
	preferences  []dbgen.ListMatchingPreferencesRow
	products     map[uuid.UUID][]string // every name of a product
	environments map[uuid.UUID][]string // every name of an environment
}

func (w *fanOutWorker) load(ctx context.Context, account uuid.UUID, events []ingest.FanOutEvent) (audience, error) {
	a := audience{products: make(map[uuid.UUID][]string), environments: make(map[uuid.UUID][]string)}
	var types []string
	var products, environments []uuid.UUID
	for _, event := range events {
		types, products, environments = append(types, event.EventType), append(products, event.ProductID), append(environments, event.EnvironmentID)
	}
	var err error
	a.preferences, err = w.db.ListMatchingPreferences(ctx, dbgen.ListMatchingPreferencesParams{AccountID: account, EventTypes: types})
	if err != nil || len(a.preferences) == 0 {
		return a, err
	}
	productNames, err := w.db.ListProductNames(ctx, dbgen.ListProductNamesParams{AccountID: account, IDs: products})
	if err != nil {
		return a, err
	}
	for _, row := range productNames {
		a.products[row.ProductID] = append(a.products[row.ProductID], row.Name)
	}
	environmentNames, err := w.db.ListEnvironmentNames(ctx, dbgen.ListEnvironmentNamesParams{AccountID: account, IDs: environments})
	for _, row := range environmentNames {
		a.environments[row.EnvironmentID] = append(a.environments[row.EnvironmentID], row.Name)
	}
	return a, err
}

// channelsOf returns the channels that are notified of an event, each once. A product or environment that was deleted since has
// the name in the event alone.
func (a audience) channelsOf(event ingest.FanOutEvent) []uuid.UUID {
	var channels []uuid.UUID
	for _, preference := range a.preferences {
		if preference.EventType == event.EventType && !slices.Contains(channels, preference.ChannelID) &&
			matches(preference.Statuses, string(event.Status)) &&
			a.concerns(event, preference) {
			channels = append(channels, preference.ChannelID)
		}
	}
	return channels
}

// concerns reports whether the filters of a preference for products and environments let an event pass.
func (a audience) concerns(event ingest.FanOutEvent, preference dbgen.ListMatchingPreferencesRow) bool {
	products := slices.Concat(a.products[event.ProductID], []string{event.ProductID.String(), event.Product})
	environments := slices.Concat(a.environments[event.EnvironmentID], []string{event.EnvironmentID.String(), event.Environment})
	change := event.Change
	if change == nil {
		return matches(preference.Products, products...) && matches(preference.Environments, environments...)
	}
	isOfProduct := len(change.Products) == 0 || matches(preference.Products, slices.Concat(products, change.Products)...)
	return isOfProduct && (len(change.Environments) == 0 || matches(preference.Environments, slices.Concat(environments, change.Environments)...))
}

// matches reports whether a filter lets something with these names pass. An empty filter lets everything pass.
func matches(filter []string, names ...string) bool {
	return len(filter) == 0 || slices.ContainsFunc(names, func(name string) bool { return slices.Contains(filter, name) })
}

// payloadOf returns the content of the messages about an event.
func payloadOf(event ingest.FanOutEvent) payload {
	deployer := event.Details.ByName
	for _, name := range []string{event.Details.By, event.Details.ByEmail} {
		if deployer == "" {
			deployer = name
		}
	}
	problem := event.Details.ErrorMessage
	if problem == "" {
		problem = gjson.GetBytes(event.Metadata, "error").String()
	}
	content := payload{
		ID: event.SubjectID, Status: string(event.Status), OccurredAt: event.OccurredAt.UTC(),
		Product: event.Product, Version: event.Version, Environment: event.Environment, Deployer: deployer,
		Repository: event.Details.Repository, CommitSHA: event.Details.SHA, SourceURL: event.Details.URL,
		PreflightStatus: gjson.GetBytes(event.Metadata, "preflight_status.status").String(), Error: truncate(problem, maxErrorText), TookSeconds: event.TookSeconds,
	}
	if content.PreflightStatus == "overridden" { // receivers know three values
		content.PreflightStatus = "skipped"
	}
	if event.Change != nil {
		content.Text, content.Lines, content.Body = event.Change.Summary, event.Change.Lines, event.Change.Body
		content.SourceURL, content.URLLabel = event.Change.URL, event.Change.URLLabel
	}
	if event.Preflight != nil {
		content.PreflightCode, content.PreflightMessage, content.RetryAt = event.Preflight.Code, event.Preflight.Message, event.Preflight.RetryAt
		content.OpenApprovals = event.Preflight.OpenApprovals
	}
	return content
}
