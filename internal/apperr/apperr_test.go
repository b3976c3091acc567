package apperr_test

import (
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apperr"
)

func TestNewInvalidKeepsOrdinaryProblems(t *testing.T) {
	t.Parallel()
	fields := []apperr.Field{
		{Loc: []any{"body", "extra_metadata", "a", 7, strings.Repeat("é", 100)}, Msg: "field required", Type: "value_error.missing"},
		{Loc: append([]any{"body"}, slices.Repeat([]any{"a"}, 128)...), Msg: "null is not an allowed value", Type: "type_error.none.not_allowed"},
	}
	require.Equal(t, fields, apperr.NewInvalid(fields...).Fields)
}

func TestNewInvalidShortensNames(t *testing.T) {
	t.Parallel()
	got := apperr.NewInvalid(apperr.Field{Loc: []any{"query", strings.Repeat("é", 101), "caf\xe9"}}).Fields[0].Loc
	require.Equal(t, []any{"query", strings.Repeat("é", 99) + "…", "caf\uFFFD"}, got)
}

// TestNewInvalidIsBounded lists more and longer problems than any answer or log line may have.
func TestNewInvalidIsBounded(t *testing.T) {
	t.Parallel()
	for _, character := range []string{"x", "\x01", "\xff", "<", `"`, "\u2028", "😀"} {
		field := apperr.Field{
			Loc: append([]any{"body"}, slices.Repeat([]any{strings.Repeat(character, 10_000)}, 128)...),
			Msg: strings.Repeat("m", 400), Type: "value_error.any_str.max_length",
		}
		err := apperr.NewInvalid(slices.Repeat([]apperr.Field{field}, 100_000)...)
		require.Len(t, err.Fields, apperr.MaxFields)
		require.Equal(t, "…", err.Fields[0].Loc[len(err.Fields[0].Loc)-1])
		answer, failure := json.Marshal(err.Fields)
		require.NoError(t, failure)
		require.Less(t, len(answer), 64<<10)
		var line strings.Builder
		slog.New(slog.NewJSONHandler(&line, nil)).InfoContext(t.Context(), "request failed", "error", err)
		require.Less(t, line.Len(), 64<<10)
	}
}
