package ingest

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxNameLength is how many characters a product, a version and an environment may have in their names.
const maxNameLength = 255

// replacement stands for a character that cannot be stored.
const replacement = "\uFFFD"

// CleanText replaces what PostgreSQL cannot store as text by U+FFFD: NUL, and bytes that are not UTF-8, which lone
// surrogates are, too.
func CleanText(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, replacement), "\x00", replacement)
}

// NormalizeName returns the name in the form in which it is stored and compared: NFC, without white space and zero-width
// characters at its ends. The problem is empty for a valid name, else a message for the caller; the name is returned with
// a problem, too.
func NormalizeName(text string) (name, problem string) {
	if !utf8.ValidString(text) {
		return text, "must be valid UTF-8"
	}
	name = strings.TrimFunc(norm.NFC.String(text), isBlank)
	switch {
	case name == "":
		return name, "must not be blank"
	case strings.ContainsFunc(name, unicode.IsControl):
		return name, "must not contain control characters"
	case utf8.RuneCountInString(name) > maxNameLength:
		return name, "must have at most 255 characters"
	default:
		return name, ""
	}
}

// isBlank reports whether the character is white space or has no width.
func isBlank(r rune) bool {
	switch r {
	case '\u200B', '\u200C', '\u200D', '\u2060', '\uFEFF':
		return true
	default:
		return unicode.IsSpace(r)
	}
}
