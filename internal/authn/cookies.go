package authn

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/versioner-io/versioner/internal/sessions"
)

// Cookies returns the value of each cookie of that name. It does not use http.Request.Cookies, which silently drops malformed cookies and
// all of a request that has too many.
func Cookies(header http.Header, name string) (values []string) {
	for _, line := range header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			if found, value, _ := strings.Cut(strings.TrimSpace(pair), "="); found == name {
				values = append(values, value)
			}
		}
	}
	return values
}

// UsesSessionCookie reports whether a request with these headers may be authenticated by a cookie.
func UsesSessionCookie(header http.Header) bool {
	if _, ok := header["Authorization"]; ok {
		return false
	}
	return slices.ContainsFunc(append(sessions.CookieNames(), sessionCookie), func(name string) bool { return len(Cookies(header, name)) > 0 })
}

// onlyCookie returns the value of the one cookie of that name.
func onlyCookie(header http.Header, name string) (string, error) {
	found := Cookies(header, name)
	if len(found) != 1 {
		return "", unauthenticated(fmt.Errorf("no Authorization header, and %d cookies named %s", len(found), name))
	}
	return found[0], nil
}
