package ingest

import (
	"bytes"
	"strings"
	"unicode"
)

// schemeEnd separates the scheme of a URL from its authority.
const schemeEnd = "://"

// StripUserInfo removes the user info ("user:token@") of every URL in the text. An authority ends at a slash, a question
// mark, a number sign, white space or a double quote, and its user info at its last "@", which a password may contain.
// "git@github.com:owner/repo" has no scheme and stays.
func StripUserInfo(text string) string {
	var stripped []byte
	copied := 0
	for at := 0; ; {
		found := strings.Index(text[at:], schemeEnd)
		if found < 0 {
			break
		}
		at += found + len(schemeEnd)
		if length := userInfoLength(text[at:]); length > 0 {
			stripped = append(stripped, text[copied:at]...)
			at += length
			copied = at
		}
	}
	if copied == 0 {
		return text
	}
	return string(append(stripped, text[copied:]...))
}

// userInfoLength returns how long the user info is, "@" included, of an authority that the text begins with.
func userInfoLength(text string) int {
	if end := strings.IndexFunc(text, endsAuthority); end >= 0 {
		text = text[:end]
	}
	return strings.LastIndexByte(text, '@') + 1
}

func endsAuthority(r rune) bool {
	switch r {
	case '/', '?', '#', '"':
		return true
	default:
		return unicode.IsSpace(r)
	}
}

// StripUserInfoJSON applies StripUserInfo to every string of a JSON document, names of members included. All other bytes
// stay, and a document without user info is returned as it is.
func StripUserInfoJSON(body []byte) []byte {
	if !mayHaveUserInfo(body) {
		return body
	}
	return editStrings(body, StripUserInfo)
}

// mayHaveUserInfo reports whether a string of the document may change, without decoding any.
func mayHaveUserInfo(body []byte) bool {
	isEscaped, hasAt := false, bytes.IndexByte(body, '@') >= 0
	for unit := range escapes(body) {
		isEscaped = isEscaped || unit == ':' || unit == '/' || unit == '@'
		hasAt = hasAt || unit == '@'
	}
	if !hasAt || isEscaped {
		return hasAt
	}
	for {
		_, rest, found := bytes.Cut(body, []byte(schemeEnd))
		if !found {
			return false
		}
		authority := rest
		if end := bytes.IndexFunc(rest, endsAuthority); end >= 0 {
			authority = rest[:end]
		}
		if bytes.IndexByte(authority, '@') >= 0 {
			return true
		}
		body = rest
	}
}
