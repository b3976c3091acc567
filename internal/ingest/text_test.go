package ingest_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/ingest"
)

func TestCleanText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                          "",
		"plain":                     "plain",
		"é, 😀 and \uFFFD":           "é, 😀 and \uFFFD",
		"tab\tand\nline":            "tab\tand\nline",
		"W\x00in":                   "W\uFFFDin",
		"\x00\x00":                  "\uFFFD\uFFFD",
		"caf\xe9":                   "caf\uFFFD",
		"ship it \xed\xa0\xbd":      "ship it \uFFFD",
		"\xff\x00\xfe and \xf0\x9f": "\uFFFD\uFFFD\uFFFD and \uFFFD",
	} {
		require.Equal(t, want, ingest.CleanText(text), "%q", text)
	}
}

func TestNormalizeName(t *testing.T) {
	t.Parallel()
	const zeroWidth = "\u200B\u200C\u200D\u2060\uFEFF"
	cases := map[string]struct{ text, name, problem string }{
		"Plain":                {"checkout", "checkout", ""},
		"CaseKept":             {"Checkout API", "Checkout API", ""},
		"Trimmed":              {" \t\r\n\u00a0\u2003checkout\u0085\u2028 ", "checkout", ""},
		"ZeroWidthTrimmed":     {zeroWidth + " checkout " + zeroWidth, "checkout", ""},
		"ZeroWidthKeptInside":  {"check\u200Bout", "check\u200Bout", ""},
		"Composed":             {"Caf\u00e9", "Caf\u00e9", ""},
		"Decomposed":           {"Cafe\u0301", "Caf\u00e9", ""},
		"NotCompatibility":     {"\ufb01x ²", "\ufb01x ²", ""},
		"ReplacementCharacter": {"a\uFFFDb", "a\uFFFDb", ""},
		"Empty":                {"", "", "must not be blank"},
		"Blank":                {" \t" + zeroWidth, "", "must not be blank"},
		"NUL":                  {"a\x00b", "a\x00b", "must not contain control characters"},
		"NULAtTheEnd":          {"a\x00", "a\x00", "must not contain control characters"},
		"TabInside":            {"a\tb", "a\tb", "must not contain control characters"},
		"C1Inside":             {"a\u0085b", "a\u0085b", "must not contain control characters"},
		"NotUTF8":              {"caf\xe9", "caf\xe9", "must be valid UTF-8"},
		"LoneSurrogate":        {"a\xed\xa0\xbd", "a\xed\xa0\xbd", "must be valid UTF-8"},
		"Of255":                {strings.Repeat("é", 255), strings.Repeat("é", 255), ""},
		"Of255Decomposed":      {strings.Repeat("e\u0301", 255), strings.Repeat("é", 255), ""},
		"Of256":                {strings.Repeat("é", 256), strings.Repeat("é", 256), "must have at most 255 characters"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, problem := ingest.NormalizeName(test.text)
			require.Equal(t, test.name, got)
			require.Equal(t, test.problem, problem)
		})
	}
}

// FuzzNormalizeName checks that a normalized name is its own normal form, and that valid names can be stored.
func FuzzNormalizeName(f *testing.F) {
	for _, seed := range []string{"checkout", " Cafe\u0301\u200B", "\u0301", "a\x00", "\xff", "\uFEFF \u0301\u0323a", strings.Repeat("\u0300", 40)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, problem := ingest.NormalizeName(text)
		again, sameProblem := ingest.NormalizeName(name)
		if again != name || sameProblem != problem {
			t.Fatalf("%q became %q (%s), then %q (%s)", text, name, problem, again, sameProblem)
		}
		if problem == "" && (name == "" || ingest.CleanText(name) != name || utf8.RuneCountInString(name) > 255) {
			t.Fatalf("%q became %q", text, name)
		}
	})
}

// FuzzCleanText checks that a cleaned text can be stored, and that a text that can be stored stays as it is.
func FuzzCleanText(f *testing.F) {
	for _, seed := range []string{"plain", "a\x00b", "caf\xe9", "\xed\xa0\xbd", "\uFFFD"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		clean := ingest.CleanText(text)
		if !utf8.ValidString(clean) || strings.ContainsRune(clean, 0) {
			t.Fatalf("%q became %q", text, clean)
		}
		if utf8.ValidString(text) && !strings.ContainsRune(text, 0) && clean != text {
			t.Fatalf("%q became %q", text, clean)
		}
	})
}
