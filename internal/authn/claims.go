package authn

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	clockSkew      = 5 * time.Second
	maxNumericDate = 1 << 33 // seconds, in the year 2242: a later date was meant as milliseconds, or as never
)

// checkSession rejects sessions that are not the user's own and active: a pending session (Clerk's sts) has tasks that the user
// must complete first, and an act claim (RFC 8693, 4.1) means that another party acts as the user.
func (c claims) checkSession() error {
	if status, ok := c["sts"]; ok && status != "active" {
		return fmt.Errorf("sts is %.200q, not active", fmt.Sprint(status))
	}
	if _, ok := c["act"]; ok {
		return errors.New("act is not allowed: the token was issued to another party that acts as the user")
	}
	return nil
}

// checkOrganization rejects a token whose claims of Clerk's versions 1 and 2 name two organisations.
func (c claims) checkOrganization() error {
	one, oneErr := c.optionalString("org_id")
	other, otherErr := c.optionalString("o.id")
	if err := errors.Join(oneErr, otherErr); err != nil {
		return err
	}
	if one != "" && other != "" && one != other {
		return errors.New("org_id and o.id differ")
	}
	return nil
}

// claims is a JSON object in which no name occurs twice.
type claims map[string]any

func parseObject(data []byte) (claims, error) {
	if jsontext.Value(data).Kind() != '{' {
		return nil, errors.New("not a JSON object")
	}
	var object map[string]any
	if err := json.Unmarshal(data, &object); err != nil {
		return nil, fmt.Errorf("not strict JSON: %w", err)
	}
	return object, nil
}

// lookup follows a dotted path. The name of a claim may contain dots (Auth0's are URLs), so a whole name precedes a path.
func (c claims) lookup(path string) any {
	if value, ok := c[path]; ok {
		return value
	}
	name, rest, ok := strings.Cut(path, ".")
	inner, isObject := c[name].(map[string]any)
	if !ok || !isObject {
		return nil
	}
	return claims(inner).lookup(rest)
}

// optionalString returns a string; an absent or null one is empty.
func (c claims) optionalString(path string) (string, error) {
	value := c.lookup(path)
	if value == nil {
		return "", nil
	}
	text, ok := value.(string)
	if !ok || strings.ContainsRune(text, 0) { // PostgreSQL cannot store a NUL
		return "", fmt.Errorf("claim %q is not a string", path)
	}
	return text, nil
}

// requiredString returns a string that must not be absent or empty.
func (c claims) requiredString(path string) (string, error) {
	text, err := c.optionalString(path)
	if err == nil && text == "" {
		return "", fmt.Errorf("claim %q is missing or empty", path)
	}
	return text, err
}

// stringList returns the strings of a list, or one string as a list of it.
func (c claims) stringList(path string) ([]string, error) {
	list, isList := c.lookup(path).([]any)
	if !isList {
		text, err := c.optionalString(path)
		if err != nil || text == "" {
			return nil, err
		}
		return []string{text}, nil
	}
	texts := make([]string, 0, len(list))
	for _, entry := range list {
		text, ok := entry.(string)
		if !ok || strings.ContainsRune(text, 0) {
			return nil, fmt.Errorf("claim %q is not a list of strings", path)
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// checkTimes requires an expiry.
func (c claims) checkTimes(now time.Time) error {
	unix := float64(now.UnixMilli()) / 1e3
	expires, ok := c["exp"].(float64)
	switch {
	case !ok || expires > maxNumericDate:
		return errors.New("exp is not a number up to 2^33")
	case expires <= unix-clockSkew.Seconds():
		return fmt.Errorf("the token expired at %.0f", expires)
	}
	for _, name := range []string{"nbf", "iat"} {
		value, ok := c[name]
		if !ok {
			continue
		}
		if date, ok := value.(float64); !ok || date > unix+clockSkew.Seconds() {
			return fmt.Errorf("%s is not a number, or not reached yet", name)
		}
	}
	return nil
}

// hasAudience reports whether aud, a string or a list of strings, contains one of the audiences.
func (c claims) hasAudience(audiences []string) bool {
	list, isList := c["aud"].([]any)
	if !isList {
		list = []any{c["aud"]}
	}
	found := false
	for _, entry := range list {
		text, ok := entry.(string)
		if !ok {
			return false
		}
		found = found || slices.Contains(audiences, text)
	}
	return found
}
