package seed

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/notify"
	"github.com/versioner-io/versioner/internal/postgres"
)

// keyDescription is that of every key of a history; an account with such a key has one.
const keyDescription = "Key of the sample data. It is not disclosed."

// retention is shorter than that of deliveries, which are deleted after 90 days.
const retention = 89 * day

// apiKeys returns the names of the keys, by the CI system that uses them. The last one is revoked.
func apiKeys() [][2]string {
	return [][2]string{{"github", "GitHub Actions"}, {"gitlab", "GitLab CI"}, {"jenkins", "Jenkins"}, {"", "Jenkins on the old server"}}
}

// writeKeys creates the keys of CI systems. No token is disclosed.
func (s *seeder) writeKeys(ctx context.Context, keys *apikeys.Keys, slug string) error {
	owner := s.history.byRole("sre")[0]
	by := s.users[owner.Login]
	for i, key := range apiKeys() {
		at := s.history.Start.Add(time.Duration(i) * time.Second)
		made, err := keys.CreateInAccountTx(s.actingAs(ctx, owner, at), s.db, slug, apikeys.NewKey{Name: key[1], Description: keyDescription, CreatedBy: &by})
		if err != nil {
			return err
		}
		s.keys[key[0]] = made.ID
		times := dbgen.SetAPIKeyTimesParams{AccountID: s.account, ID: made.ID, CreatedAt: s.history.Start}
		if key[0] == "" {
			revoked := s.history.Start.Add(2*day + 10*time.Hour)
			if err := keys.Revoke(s.actingAs(ctx, owner, revoked), s.db, etag.Ref{AccountID: s.account, ID: made.ID}); err != nil {
				return err
			}
			times.RevokedAt = &revoked
		}
		if err := s.db.SetAPIKeyTimes(ctx, times); err != nil {
			return postgres.Classify(err)
		}
	}
	return nil
}

// writeLastUses sets when each key was last used.
func (s *seeder) writeLastUses(ctx context.Context) error {
	last := make(map[uuid.UUID]time.Time)
	for _, event := range s.history.Events {
		last[s.keys[event.SourceSystem]] = event.At
	}
	params := dbgen.UpdateAPIKeysLastUsedParams{}
	for key, at := range last {
		params.AccountIDs, params.IDs, params.UsedAt = append(params.AccountIDs, s.account), append(params.IDs, key), append(params.UsedAt, at)
	}
	return postgres.Classify(s.db.UpdateAPIKeysLastUsed(ctx, params))
}

// channel is a receiver of notifications.
type channel struct {
	name, kind, address string
	subscriptions       []subscription
	gone                bool // its receiver was removed
}

// subscription is to deployments with a status, in some environments or in all.
type subscription struct {
	status       string
	environments []string
}

// channels returns the receivers. Their addresses are of a reserved domain that no name server resolves: nothing is ever sent.
func channels() []channel {
	return []channel{
		{
			name: "#deployments", kind: notify.TypeSlack, address: "https://chat.northlane.example/services/deployments",
			subscriptions: []subscription{{"completed", []string{"production"}}, {"failed", nil}},
		},
		{
			name: "Incident bridge", kind: notify.TypeWebhook, address: "https://incidents.northlane.example/hooks/versioner",
			subscriptions: []subscription{{"failed", []string{"production"}}, {"aborted", []string{"production"}}},
		},
		{
			name: "Old status page", kind: notify.TypeWebhook, address: "https://status.northlane.example/deployed", gone: true,
			subscriptions: []subscription{{"completed", []string{"production"}}},
		},
	}
}

// writeChannels creates the channels with their preferences, and what they were sent.
func (s *seeder) writeChannels(ctx context.Context, receivers notify.Channels) error {
	owner := s.history.byRole("sre")[1]
	for i, one := range channels() {
		times := dbgen.SetChannelTimesParams{AccountID: s.account, At: s.history.Start.Add(9*time.Hour + time.Duration(i)*11*minute)}
		ctx := s.actingAs(ctx, owner, times.At)
		config := notify.ConfigPatch{URL: &one.address}
		if one.kind == notify.TypeSlack {
			config = notify.ConfigPatch{WebhookURL: &one.address}
		}
		made, err := receivers.Create(ctx, s.db, s.account, one.name, one.kind, config, true)
		if err != nil {
			return fmt.Errorf("channel %q: %w", one.name, err)
		}
		times.ID = made.ID
		until := s.history.End
		if one.gone {
			until = s.history.Start.Add(s.history.End.Sub(s.history.Start) * 2 / 3)
		}
		r := newRNG(uint64(len(s.history.Events)), uint64(200+i))
		for _, subscription := range one.subscriptions {
			filters := notify.Filters{Environments: subscription.environments}
			if _, err := (notify.Preferences{DB: s.db}).Create(ctx, s.account, made.ID, "deployment."+subscription.status, filters); err != nil {
				return fmt.Errorf("channel %q: %w", one.name, err)
			}
			last, err := s.writeDeliveries(ctx, r, made.ID, one.gone, subscription, until)
			if err != nil {
				return fmt.Errorf("channel %q: %w", one.name, err)
			}
			if one.gone {
				times.DisabledAt = last
			}
		}
		if err := s.db.SetChannelTimes(ctx, times); err != nil {
			return postgres.Classify(err)
		}
	}
	return nil
}

// writeDeliveries records what a channel was sent before a time, and returns when it was sent the last one. That one was answered
// with 410 if the receiver is gone.
func (s *seeder) writeDeliveries(ctx context.Context, r rng, channel uuid.UUID, gone bool, to subscription, until time.Time) (last *time.Time, err error) {
	events, err := s.db.ListPastDeployments(ctx, dbgen.ListPastDeploymentsParams{
		AccountID: s.account, Status: to.status, Environments: to.environments, Since: later(s.history.Start, s.history.End.Add(-retention)), Until: until,
	})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	rows := make([]map[string]any, 0, len(events))
	for i, event := range events {
		status, response, problem, attempts, sent := "delivered", 200, "", 1, event.ReceivedAt.Add(r.between(time.Second, 3*time.Second))
		switch x := r.Float64(); {
		case gone && i == len(events)-1:
			status, response, problem = "failed", 410, "gone"
		case x < 0.02:
			status, response, problem = "failed", 400, "http_4xx"
		case x < 0.06:
			attempts, sent = 3, sent.Add(r.between(3*time.Second, 8*time.Second))
		}
		if sent.After(s.history.End) {
			continue
		}
		last = &sent
		rows = append(rows, map[string]any{
			"id": uuid.Must(uuid.NewV7()), "event_id": event.ID, "subject_id": event.SubjectID, "payload": event.Payload, "status": status, "attempts": attempts,
			"response_status": response, "error_class": nilIfEmpty(problem), "latency_ms": 40 + r.IntN(400), "created_at": event.ReceivedAt, "finished_at": sent,
		})
	}
	return last, postgres.Classify(s.db.InsertPastDeliveries(ctx, dbgen.InsertPastDeliveriesParams{
		AccountID: s.account, ChannelID: channel, EventType: "deployment." + to.status, Rows: toJSON(rows),
	}))
}

func nilIfEmpty(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
