// Package urltemplate renders URLs from templates with placeholders for variables, such as
// https://ci.example.com/job/{{job}}/build?version={{vi_version}}. It is pure. Scheme and host are literal and values are percent-encoded,
// so that a rendered URL has the host of its template, its path the segments of the template, and each value is data of one place.
package urltemplate

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	// SystemPrefix begins the names of the variables that the system sets.
	SystemPrefix = "vi_"
	// MaxURL is the length of the longest URL that is rendered.
	MaxURL = 8192
)

// The variables that the system sets.
const (
	Version         = "vi_version"
	BuildNumber     = "vi_build_number"
	ProductID       = "vi_product_id"
	ProductName     = "vi_product_name"
	EnvironmentID   = "vi_environment_id"
	EnvironmentName = "vi_environment_name"
	SHA             = "vi_sha"
)

// SystemNames returns the names of the variables that the system sets.
func SystemNames() []string {
	return []string{Version, BuildNumber, ProductID, ProductName, EnvironmentID, EnvironmentName, SHA}
}

const maxPort = 65535

var (
	variableName = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)
	hostName     = regexp.MustCompile(`^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?$`)
	urlText      = regexp.MustCompile(`^(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*`)
)

// Problem says why a template is invalid, or cannot be rendered.
type Problem struct {
	Type    string // a stable machine word
	Message string
}

// Template is a valid template.
type Template struct{ parts []part }

// part is a literal text or, if its name is not empty, a placeholder.
type part struct{ literal, name string }

// Parse returns the template of a text, or every problem of it.
func Parse(text string) (Template, []Problem) {
	origin, rest, problems := cutOrigin(text)
	parts, found := parseRest(rest)
	problems = append(problems, found...)
	template := Template{parts: append([]part{{literal: origin}}, parts...)}
	if len(problems) == 0 && hasDotSegment(template.fill(func(string) string { return "x" })) {
		problems = append(problems, Problem{"value_error.url.path", "must not contain the path segments . and .."})
	}
	if len(problems) > 0 {
		return Template{}, problems
	}
	return template, nil
}

// cutOrigin cuts the scheme and the host from a template; the rest begins with the slash behind them.
func cutOrigin(text string) (origin, rest string, problems []Problem) {
	scheme, behind, _ := strings.Cut(text, "://")
	if scheme != "http" && scheme != "https" {
		return "", "/", []Problem{{"value_error.url.scheme", "must begin with http:// or https://"}}
	}
	end := strings.IndexAny(behind, "/?#")
	host := behind
	if end >= 0 {
		host = behind[:end]
	}
	switch {
	case strings.Contains(host, "{{"):
		problems = append(problems, Problem{"value_error.url.host", "the host must not contain placeholders"})
	case strings.Contains(host, "@"):
		problems = append(problems, Problem{"value_error.url.userinfo", "must not contain a user name or a password"})
	case !isHost(host):
		problems = append(problems, Problem{"value_error.url.host", "must have a host name or an IP address, and a port up to 65535 if any"})
	}
	if end < 0 || behind[end] != '/' {
		problems = append(problems, Problem{"value_error.url.path", "must have a / behind the host"})
		return "", "/", problems
	}
	return scheme + "://" + host, behind[end:], problems
}

// isHost reports whether the text is a host with an optional port.
func isHost(text string) bool {
	host, port := text, ""
	if colon := strings.LastIndex(text, ":"); colon > strings.LastIndex(text, "]") {
		host, port = text[:colon], text[colon+1:]
		if number, err := strconv.ParseUint(port, 10, 32); err != nil || number == 0 || number > maxPort {
			return false
		}
	}
	if inner, isAddress := strings.CutPrefix(host, "["); isAddress {
		inner, isClosed := strings.CutSuffix(inner, "]")
		address, err := netip.ParseAddr(inner)
		return isClosed && err == nil && address.Is6() && address.Zone() == ""
	}
	return hostName.MatchString(host) && !strings.Contains(host, "..")
}

// parseRest splits path, query and fragment into literal texts and placeholders.
func parseRest(text string) (parts []part, problems []Problem) {
	report := func(kind, message string) {
		if problem := (Problem{kind, message}); !slices.Contains(problems, problem) {
			problems = append(problems, problem)
		}
	}
	for text != "" {
		literal, behind, isPlaceholder := strings.Cut(text, "{{")
		if valid := urlText.FindString(literal); valid != literal {
			report("value_error.url.character", fmt.Sprintf("must be percent-encoded: %s", firstOf(literal[len(valid):])))
		}
		if literal != "" {
			parts = append(parts, part{literal: literal})
		}
		if !isPlaceholder {
			break
		}
		name, after, isClosed := strings.Cut(behind, "}}")
		switch {
		case !isClosed:
			report("value_error.placeholder", "a placeholder has no end: }}")
			return parts, problems
		case strings.Contains(name, "{{"):
			report("value_error.placeholder", "placeholders must not be nested")
		case !variableName.MatchString(name):
			report("value_error.placeholder", "the name of a variable has 1 to 64 characters of a-z, 0-9 and _")
		case strings.HasPrefix(name, SystemPrefix) && !slices.Contains(SystemNames(), name):
			report("value_error.placeholder", "unknown system variable: "+name)
		}
		parts, text = append(parts, part{name: name}), after
	}
	return parts, problems
}

// firstOf quotes the first character of a text.
func firstOf(text string) string {
	for _, character := range text {
		return strconv.QuoteRune(character)
	}
	return ""
}

// Names returns the names of the variables, each once, in the order of the template.
func (t Template) Names() []string {
	var names []string
	for _, part := range t.parts {
		if part.name != "" && !slices.Contains(names, part.name) {
			names = append(names, part.name)
		}
	}
	return names
}

// Render returns the URL with the values of the variables, or every problem: one for each variable without a value.
func (t Template) Render(values map[string]string) (string, []Problem) {
	var problems []Problem
	for _, name := range t.Names() {
		if _, isKnown := values[name]; !isKnown {
			problems = append(problems, Problem{"value_error.missing_variable", "Missing variable: " + name})
		}
	}
	if len(problems) > 0 {
		return "", problems
	}
	rendered := t.fill(func(name string) string { return encode(values[name]) })
	if hasDotSegment(rendered) {
		problems = append(problems, Problem{"value_error.url.path", "the values of the variables make a path segment . or .."})
	}
	if len(rendered) > MaxURL {
		problems = append(problems, Problem{"value_error.url.length", fmt.Sprintf("the URL is longer than %d characters", MaxURL)})
	}
	if len(problems) > 0 {
		return "", problems
	}
	return rendered, nil
}

func (t Template) fill(value func(name string) string) string {
	var text strings.Builder
	for _, part := range t.parts {
		if part.name == "" {
			text.WriteString(part.literal)
		} else {
			text.WriteString(value(part.name))
		}
	}
	return text.String()
}

// encode percent-encodes all but the characters that RFC 3986 calls unreserved.
func encode(value string) string {
	return strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
}

// hasDotSegment reports whether browsers would remove a segment of the path, and the one before it: the URL would lead elsewhere.
func hasDotSegment(text string) bool {
	_, text, _ = strings.Cut(text, "://")
	if end := strings.IndexAny(text, "?#"); end >= 0 {
		text = text[:end]
	}
	return slices.ContainsFunc(strings.Split(text, "/"), func(segment string) bool {
		segment = strings.ReplaceAll(strings.ToLower(segment), "%2e", ".")
		return segment == "." || segment == ".."
	})
}
