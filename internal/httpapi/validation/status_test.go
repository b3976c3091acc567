package validation

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/ingest"
)

// TestStatusWords compares the words of the specification with those that are parsed.
func TestStatusWords(t *testing.T) {
	t.Parallel()
	document, err := apigen.GetSpec()
	require.NoError(t, err)
	schema := document.Components.Schemas["EventStatus"].Value
	require.Equal(t, strings.Join(ingest.StatusAliases(), ", "), join(schema.Enum))
	total := 0
	for status, words := range schema.Extensions[acceptedValuesExtension].(map[string]any) {
		for _, word := range words.([]any) {
			total++
			got, ok := ingest.ParseStatus(word.(string))
			require.True(t, ok, word)
			require.Equal(t, ingest.Status(status), got, word)
			require.Contains(t, schema.Description, word)
		}
	}
	require.Len(t, schema.Enum, total)
}

// TestStatusSpellings covers the status of a build event, which may be absent or null, too.
func TestStatusSpellings(t *testing.T) {
	t.Parallel()
	document, err := apigen.GetSpec()
	require.NoError(t, err)
	validator, err := NewBody(document.Paths.Value("/build-events/").Post)
	require.NoError(t, err)
	unknown := []apperr.Field{{
		Loc: []any{"body", "status"}, Type: "type_error.enum", Msg: "unknown status; accepted are: " + strings.Join(ingest.StatusAliases(), ", "),
	}}
	for _, c := range []struct {
		name, status string
		value        any
		problems     []apperr.Field
	}{
		{"Canonical", `"completed"`, "completed", nil},
		{"Alias", `"cancelled"`, "cancelled", nil},
		{"UpperCase", `"IN_PROGRESS"`, "in_progress", nil},
		{"Padded", `"\t Built\n"`, "built", nil},
		{"Null", `null`, nil, nil},
		{"Empty", `""`, nil, nil},
		{"Unknown", `"done"`, nil, unknown},
		{"Blank", `" "`, nil, unknown},
		{"Number", `1`, nil, []apperr.Field{{Loc: []any{"body", "status"}, Type: "type_error.string", Msg: "value is not a valid string"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var bound any
			handler := validator.Middleware(func(c echo.Context) error {
				bound = c.Request().Body.(validatedBody).value.(map[string]any)["status"]
				return nil
			})
			request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(`{"product_name":"p","version":"1","status":`+c.status+`}`))
			request.Header.Set("Content-Type", "application/json")
			err := handler(echo.New().NewContext(request, httptest.NewRecorder()))
			if c.problems == nil {
				require.NoError(t, err)
				require.Equal(t, c.value, bound)
				return
			}
			var failure *apperr.Error
			require.ErrorAs(t, err, &failure)
			require.Equal(t, c.problems, failure.Fields)
		})
	}
}
