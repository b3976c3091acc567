package ingest

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"
)

// runCase is a case of testdata/runs.yaml.
type runCase struct {
	Name   string `yaml:"name"`
	Events []struct {
		Version string            `yaml:"v"`
		Status  string            `yaml:"status"`
		Run     string            `yaml:"run"`
		At      float64           `yaml:"at"`
		End     *float64          `yaml:"end"`
		Meta    map[string]string `yaml:"meta"`
	} `yaml:"events"`
	ReadAt *float64       `yaml:"read_at"`
	Expect map[string]any `yaml:"expect"`
}

func loadRunCases(t *testing.T) []runCase {
	t.Helper()
	text, err := os.ReadFile("testdata/runs.yaml")
	require.NoError(t, err)
	var cases []runCase
	require.NoError(t, yaml.Unmarshal(text, &cases))
	require.NotEmpty(t, cases)
	return cases
}

// ledger is a working set that holds everything: the service without a database.
type ledger struct {
	*workingSet

	now      time.Time
	account  uuid.UUID
	products map[string]uuid.UUID
}

func newLedger(kind Kind) *ledger {
	return &ledger{
		workingSet: newWorkingSet(kind), now: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC), account: newID(), products: make(map[string]uuid.UUID),
	}
}

// event returns a normalized event of the pair shop/production; builds are of the version alone.
func (l *ledger) event(t require.TestingT, event Event) Event {
	if event.ProductName == "" {
		event.ProductName = "shop"
	}
	if l.kind == Deployment && event.EnvironmentName == "" {
		event.EnvironmentName = "production"
	}
	if l.kind == Build {
		event.EnvironmentName = ""
	}
	event.Kind, event.AccountID, event.ID, event.SubjectID = l.kind, l.account, newID(), newID()
	if event.Body == nil {
		body, err := json.Marshal(map[string]any{
			"p": event.ProductName, "v": event.Version, "e": event.EnvironmentName, "s": event.Status, "r": event.InvokeID, "m": event.Metadata, "d": event.Details,
		})
		require.NoError(t, err)
		event.Body = body
	}
	require.NoError(t, event.Normalize())
	return event
}

// send applies an event, creating its pair if need be.
func (l *ledger) send(t require.TestingT, event Event) (Recorded, error) {
	event = l.event(t, event)
	name := nameOf(event)
	if l.names[name] == nil {
		product, ok := l.products[event.ProductName]
		if !ok {
			product = newID()
			l.products[event.ProductName] = product
		}
		key := pairKey{accountID: event.AccountID, productID: product, partnerID: newID()}
		l.names[name] = &resolvedPair{key: key, productName: event.ProductName, environmentName: event.EnvironmentName, environmentType: event.EnvironmentType}
		l.pairs[key] = &pairState{}
		if l.kind == Build {
			l.versions[versionKey{accountID: event.AccountID, productID: product, version: event.Version}] = &versionState{
				Version: Version{ID: key.partnerID}, accountID: event.AccountID, version: event.Version,
			}
		}
	}
	return l.apply(event, l.now)
}

// all returns every subject, oldest first.
func (l *ledger) all() []Subject {
	subjects := make([]Subject, 0, len(l.subjects))
	for _, s := range l.subjects {
		subjects = append(subjects, s.Subject)
	}
	slices.SortFunc(subjects, func(a, b Subject) int { return slices.Compare(a.ID[:], b.ID[:]) })
	return subjects
}

func (l *ledger) versionName(id uuid.UUID) string {
	for key, v := range l.versions {
		if v.ID == id {
			return key.version
		}
	}
	return ""
}

// pair returns the state of shop/production.
func (l *ledger) pair() *pairState {
	return l.pairs[l.names[nameKey{accountID: l.account, product: "shop", partner: "production"}].key]
}

func statusesOf(subjects []Subject) []string {
	statuses := make([]string, len(subjects))
	for i, s := range subjects {
		statuses[i] = string(s.Status)
	}
	return statuses
}
