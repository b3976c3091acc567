package audit_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/ptr"
)

func members(value any) []audit.Member { return []audit.Member{{Name: "x", Value: value}} }

func TestCompareShowsValues(t *testing.T) {
	t.Parallel()
	var noTime *time.Time
	at := time.Date(2026, 11, 29, 1, 2, 3, 0, time.UTC)
	for name, test := range map[string]struct {
		before, after         any
		wantBefore, wantAfter string // empty: null
	}{
		"Text":               {"a", "b", "a", "b"},
		"HTMLIsText":         {"", "<a> & \"b\"", "", `<a> & "b"`},
		"Boolean":            {true, false, "true", "false"},
		"Number":             {(*int32)(nil), ptr.NonZero(int32(7)), "", "7"},
		"Time":               {noTime, &at, "", "2026-11-29T01:02:03Z"},
		"List":               {[]string{}, []string{"a", "b"}, "", `["a","b"]`},
		"EmptiedObject":      {json.RawMessage(`{"a": 1}`), json.RawMessage(`{}`), `{"a":1}`, ""},
		"MembersThatDiffer":  {json.RawMessage(`{"a":1,"b":{"c":[1.50]}}`), json.RawMessage(`{"a":1,"b":2,"d":null}`), `{"b":{"c":[1.50]}}`, `{"b":2,"d":null}`},
		"SecretMembers":      {json.RawMessage(`{"a":{"dbPassword":"hunter2"}}`), json.RawMessage(`{"api_key":[1],"x":[{"Token":"t"}],"secret":null}`), `{"a":{"dbPassword":"****"}}`, `{"api_key":"****","secret":null,"x":[{"Token":"****"}]}`},
		"OwnKeys":            {"", "use sk_demo_k1_0123456789abcdefABCDEF", "", "use ****"},
		"KnownCredentials":   {"ghp_0123456789012345678901", "eyJhbGciOiJIUzI1NiJ9.e30.abc", "****", "****"},
		"SlackWebhook":       {"", "https://hooks.slack.com/services/T0/B0/xyz", "", "https://****"},
		"PasswordsOfAddress": {"", "postgres://user:secret@db/x", "", "postgres://****@db/x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, []audit.Value{{Field: "x", Before: ptr.NonZero(test.wantBefore), After: ptr.NonZero(test.wantAfter)}}, audit.Compare(members(test.before), members(test.after)))
		})
	}
}

func TestCompareListsWhatDiffers(t *testing.T) {
	t.Parallel()
	object := []audit.Member{{Name: "a", Value: "1"}, {Name: "b", Value: ""}, {Name: "c", Value: json.RawMessage(`{}`)}}
	require.Empty(t, audit.Compare(object, object))
	require.Empty(t, audit.Compare(members(json.RawMessage(`{"a":1,"bb":{"c":2,"dd":3}}`)), members(json.RawMessage(`{"bb": {"dd": 3, "c": 2}, "a": 1}`))), "in another order")
	require.Equal(t, []audit.Value{{Field: "a", After: ptr.NonZero("1")}}, audit.Compare(nil, object), "an object is created")
	require.Equal(t, []audit.Value{{Field: "a", Before: ptr.NonZero("1")}}, audit.Compare(object, nil), "and deleted")

	hide := func(string) string { return "****" }
	require.Equal(t, []audit.Value{{Field: "a", Before: ptr.NonZero("****"), After: ptr.NonZero("****")}},
		audit.Compare([]audit.Member{{Name: "a", Value: "1", Redact: hide}}, []audit.Member{{Name: "a", Value: "2", Redact: hide}}), "secrets are compared, and not shown")
}

// TestEntriesAreBounded stores long values, of characters that JSON escapes, and of several bytes.
func TestEntriesAreBounded(t *testing.T) {
	t.Parallel()
	for name, character := range map[string]string{"ASCII": "x", "Euro": "€", "Emoji": "😀", "Quote": `"`, "Control": "\x01"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			long := strings.Repeat(character, 70<<10)
			var values []audit.Value
			for range 8 {
				values = append(values, audit.Compare(members("short"), members(long))...)
			}
			encoded := audit.Encode(values)
			require.LessOrEqual(t, len(encoded), 16<<10)
			require.True(t, utf8.Valid(encoded))
			var stored []audit.Value
			require.NoError(t, json.Unmarshal(encoded, &stored))
			require.Len(t, stored, 8)
			for _, value := range stored {
				require.True(t, value.IsTruncated)
				require.Equal(t, "short", *value.Before)
				start, isCut := strings.CutSuffix(*value.After, "…")
				require.True(t, isCut)
				require.Greater(t, len(start), 100)
				require.Empty(t, strings.ReplaceAll(start, character, ""), "whole characters")
			}
			require.Equal(t, long, *values[0].After, "the values themselves stay")
		})
	}
}
