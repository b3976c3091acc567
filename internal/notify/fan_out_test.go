package notify

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/ingest"
)

func TestChannelsOfAnEvent(t *testing.T) {
	t.Parallel()
	one, other := uuid.New(), uuid.New()
	shop, production := uuid.New(), uuid.New()
	preference := func(channel uuid.UUID, change ...func(*dbgen.ListMatchingPreferencesRow)) dbgen.ListMatchingPreferencesRow {
		row := dbgen.ListMatchingPreferencesRow{ChannelID: channel, EventType: "deployment.failed"}
		for _, fn := range change {
			fn(&row)
		}
		return row
	}
	products := func(names ...string) func(*dbgen.ListMatchingPreferencesRow) {
		return func(row *dbgen.ListMatchingPreferencesRow) { row.Products = names }
	}
	environments := func(names ...string) func(*dbgen.ListMatchingPreferencesRow) {
		return func(row *dbgen.ListMatchingPreferencesRow) { row.Environments = names }
	}
	statuses := func(names ...string) func(*dbgen.ListMatchingPreferencesRow) {
		return func(row *dbgen.ListMatchingPreferencesRow) { row.Statuses = names }
	}
	type rows = []dbgen.ListMatchingPreferencesRow
	event := ingest.FanOutEvent{
		EventType: "deployment.failed", Status: ingest.Failed, ProductID: shop, Product: "shop", EnvironmentID: production, Environment: "production",
	}
	for name, test := range map[string]struct {
		preferences rows
		want        []uuid.UUID
	}{
		"NoPreference":           {nil, nil},
		"NoFilter":               {rows{preference(one)}, []uuid.UUID{one}},
		"EmptyFilters":           {rows{preference(one, products(), environments(), statuses())}, []uuid.UUID{one}},
		"AnotherEventType":       {rows{preference(one, func(row *dbgen.ListMatchingPreferencesRow) { row.EventType = "deployment.completed" })}, nil},
		"BuildOfTheSameStatus":   {rows{preference(one, func(row *dbgen.ListMatchingPreferencesRow) { row.EventType = "build.failed" })}, nil},
		"Status":                 {rows{preference(one, statuses("completed", "failed"))}, []uuid.UUID{one}},
		"AnotherStatus":          {rows{preference(one, statuses("completed"))}, nil},
		"ProductName":            {rows{preference(one, products("other", "shop"))}, []uuid.UUID{one}},
		"FormerProductName":      {rows{preference(one, products("web-shop"))}, []uuid.UUID{one}},
		"ProductID":              {rows{preference(one, products(shop.String()))}, []uuid.UUID{one}},
		"AnotherProduct":         {rows{preference(one, products("other", uuid.NewString(), "Shop", "sho", ""))}, nil},
		"EnvironmentName":        {rows{preference(one, environments("production"))}, []uuid.UUID{one}},
		"FormerEnvironmentName":  {rows{preference(one, environments("prod"))}, []uuid.UUID{one}},
		"EnvironmentID":          {rows{preference(one, environments(production.String()))}, []uuid.UUID{one}},
		"AnotherEnvironment":     {rows{preference(one, environments("staging"))}, nil},
		"EnvironmentOfAProduct":  {rows{preference(one, products("production"), environments("shop"))}, nil},
		"EveryFilter":            {rows{preference(one, products("shop"), environments("prod"), statuses("failed"))}, []uuid.UUID{one}},
		"OneFilterOfThreeFails":  {rows{preference(one, products("shop"), environments("prod"), statuses("aborted"))}, nil},
		"SeveralPreferences":     {rows{preference(one, products("other")), preference(one, products("shop")), preference(one)}, []uuid.UUID{one}},
		"SeveralChannels":        {rows{preference(other), preference(one), preference(other, products("shop"))}, []uuid.UUID{other, one}},
		"NilIdentifierIsNoMatch": {rows{preference(one, products(uuid.Nil.String()))}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := audience{
				preferences:  test.preferences,
				products:     map[uuid.UUID][]string{shop: {"web-shop", "shop"}, uuid.New(): {"other"}},
				environments: map[uuid.UUID][]string{production: {"prod", "production"}, uuid.New(): {"staging"}},
			}
			require.Equal(t, test.want, a.channelsOf(event))
			require.Equal(t, test.want, a.channelsOf(event), "again")
		})
	}

	t.Run("NamesInTheEventAfterDeletion", func(t *testing.T) {
		t.Parallel()
		a := audience{preferences: rows{preference(one, products("shop"), environments("production")), preference(other, products("web-shop"))}}
		require.Equal(t, []uuid.UUID{one}, a.channelsOf(event))
	})
	t.Run("BuildsMatchByProduct", func(t *testing.T) {
		t.Parallel()
		build := ingest.FanOutEvent{EventType: "build.failed", Status: ingest.Failed, ProductID: shop, Product: "shop"}
		a := audience{products: map[uuid.UUID][]string{shop: {"shop"}}}
		for i, change := range []func(*dbgen.ListMatchingPreferencesRow){products("shop"), products("other"), environments("production")} {
			row := preference(one, change)
			row.EventType = "build.failed"
			a.preferences = rows{row}
			require.Equal(t, i == 0, len(a.channelsOf(build)) == 1, "%+v", row)
		}
	})
}

func TestContentOfMessages(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 18, 0, 0, 0, time.FixedZone("", 2*3600))
	took := 61.5
	full := ingest.FanOutEvent{
		SubjectID: uuid.New(), Status: ingest.Failed, OccurredAt: at, Product: "shop", Version: "1.4.2", Environment: "production", TookSeconds: &took,
		Details:  ingest.Details{Repository: "acme/shop", SHA: "9fceb02", URL: "https://ci.example.com/4711?a=1&b=<2>", By: "ada", ByEmail: "ada@example.com", ByName: "Ada"},
		Metadata: json.RawMessage(`{"error":"exit 1","preflight_status":{"status":"blocked"}}`),
	}
	require.Equal(t, payload{
		ID: full.SubjectID, Status: "failed", OccurredAt: time.Date(2026, 11, 21, 16, 0, 0, 0, time.UTC), Product: "shop", Version: "1.4.2", Environment: "production",
		Deployer: "Ada", Repository: "acme/shop", CommitSHA: "9fceb02", SourceURL: "https://ci.example.com/4711?a=1&b=<2>",
		PreflightStatus: "blocked", Error: "exit 1", TookSeconds: &took,
	}, payloadOf(full))

	t.Run("Deployer", func(t *testing.T) {
		t.Parallel()
		for want, details := range map[string]ingest.Details{
			"Ada":             {ByName: "Ada", By: "ada", ByEmail: "ada@example.com"},
			"ada":             {By: "ada", ByEmail: "ada@example.com"},
			"ada@example.com": {ByEmail: "ada@example.com"},
			"":                {},
		} {
			require.Equal(t, want, payloadOf(ingest.FanOutEvent{Details: details}).Deployer)
		}
	})
	t.Run("Error", func(t *testing.T) {
		t.Parallel()
		long := strings.Repeat("ü", maxErrorText)
		for _, test := range []struct{ reported, metadata, want string }{
			{"of the build", `{"error":"of the metadata"}`, "of the build"},
			{"", `{"error":"of the metadata"}`, "of the metadata"},
			{"", `{"error":null}`, ""},
			{"", `{"error":17}`, "17"},
			{"", `{"error":{"code":17}}`, `{"code":17}`},
			{"", `{}`, ""},
			{"", ``, ""},
			{"two\nlines <b>&", ``, "two\nlines <b>&"},
			{long, ``, long},
			{long + "!", ``, strings.Repeat("ü", maxErrorText-1) + "…"},
			{"", `{"error":"` + long + `!"}`, strings.Repeat("ü", maxErrorText-1) + "…"},
		} {
			got := payloadOf(ingest.FanOutEvent{Details: ingest.Details{ErrorMessage: test.reported}, Metadata: json.RawMessage(test.metadata)}).Error
			require.Equal(t, test.want, got, "%.50s %.50s", test.reported, test.metadata)
		}
	})
	t.Run("SurvivesTheQueueAndTheDatabase", func(t *testing.T) {
		t.Parallel()
		hostile := full
		hostile.Product, hostile.Details.ByName = "<script>&\u2028\"\\", "Ada <b>Lovelace</b>"
		encoded, err := json.Marshal(ingest.FanOutArgs{Events: []ingest.FanOutEvent{hostile}})
		require.NoError(t, err)
		var args ingest.FanOutArgs
		require.NoError(t, json.Unmarshal(encoded, &args))
		message, err := json.Marshal(payloadOf(args.Events[0]))
		require.NoError(t, err)
		var decoded payload
		require.NoError(t, json.Unmarshal(message, &decoded))
		require.Equal(t, payloadOf(hostile), decoded)
	})
	t.Run("UnknownFieldsAreLeftOut", func(t *testing.T) {
		t.Parallel()
		payload, err := json.Marshal(payloadOf(ingest.FanOutEvent{SubjectID: full.SubjectID, Status: ingest.Started, OccurredAt: at, Product: "shop", Version: "1"}))
		require.NoError(t, err)
		require.JSONEq(t, `{"id":"`+full.SubjectID.String()+`","status":"started","occurred_at":"2026-11-21T16:00:00Z","product":"shop","version":"1"}`, string(payload))
	})
}
