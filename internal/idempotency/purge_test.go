package idempotency_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/idempotency"
	"github.com/versioner-io/versioner/internal/testapi"
	"github.com/versioner-io/versioner/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

func TestTasks(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	request := api.Request(t, http.MethodPost, "/products/", []byte(`{"name":"shop"}`))
	request.Header.Set("Authorization", "Bearer "+api.Token(t, testapi.Account, "admin"))
	request.Header.Set("Idempotency-Key", "key")
	require.Equal(t, http.StatusCreated, api.Do(t, request).Status)
	for _, step := range []struct {
		later time.Duration
		left  int
	}{{23 * time.Hour, 1}, {25 * time.Hour, 0}} {
		for _, task := range idempotency.Tasks(api.Pool, func() time.Time { return time.Now().Add(step.later) }) {
			require.NoError(t, task.Run(t.Context()), task.Name)
		}
		require.Equal(t, step.left, api.Count(t, "idempotency_keys"), step.later)
	}
}
