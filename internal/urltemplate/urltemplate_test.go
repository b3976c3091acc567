package urltemplate_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/versioner-io/versioner/internal/urltemplate"
)

func TestRender(t *testing.T) {
	t.Parallel()
	values := map[string]string{
		"job": "deploy shop", "vi_version": "1.4.2+build/7", "empty": "", "umlaut": "Größe", "looks_nested": "{{job}}", "dots": "..", "dot": ".",
		"url": "https://evil.example.com/", "long": strings.Repeat("é", 2000),
	}
	for template, want := range map[string]string{
		"https://ci.example.com/":                                   "https://ci.example.com/",
		"https://ci.example.com/job/{{job}}/build?v={{vi_version}}": "https://ci.example.com/job/deploy%20shop/build?v=1.4.2%2Bbuild%2F7",
		"http://ci:8080/?var[VERSION]={{vi_version}}#{{job}}":       "http://ci:8080/?var[VERSION]=1.4.2%2Bbuild%2F7#deploy%20shop",
		"https://[::1]:8443/{{umlaut}}":                             "https://[::1]:8443/Gr%C3%B6%C3%9Fe",
		"https://ci/{{looks_nested}}":                               "https://ci/%7B%7Bjob%7D%7D",
		"https://ci/{{url}}":                                        "https://ci/https%3A%2F%2Fevil.example.com%2F",
		"https://ci/a/{{empty}}b":                                   "https://ci/a/b",
		"https://ci/a{{dots}}":                                      "https://ci/a..",
		"https://ci/?path={{dots}}/{{dot}}":                         "https://ci/?path=../.",
		"https://ci/{{job}}{{job}}":                                 "https://ci/deploy%20shopdeploy%20shop",
	} {
		parsed, problems := urltemplate.Parse(template)
		require.Empty(t, problems, template)
		got, problems := parsed.Render(values)
		require.Empty(t, problems, template)
		require.Equal(t, want, got)
	}
	for template, want := range map[string][]string{
		"https://ci/{{b}}/{{job}}/{{a}}/{{b}}": {"Missing variable: b", "Missing variable: a"},
		"https://ci/{{vi_sha}}":                {"Missing variable: vi_sha"},
		"https://ci/a/{{dots}}/b":              {"the values of the variables make a path segment . or .."},
		"https://ci/{{dot}}":                   {"the values of the variables make a path segment . or .."},
		"https://ci/.{{empty}}./":              {"the values of the variables make a path segment . or .."},
		"https://ci/%2E{{dot}}?":               {"the values of the variables make a path segment . or .."},
		"https://ci/{{long}}":                  {"the URL is longer than 8192 characters"},
	} {
		parsed, problems := urltemplate.Parse(template)
		require.Empty(t, problems, template)
		got, problems := parsed.Render(values)
		require.Empty(t, got)
		require.Equal(t, want, messages(problems), template)
	}
}

func messages(problems []urltemplate.Problem) (texts []string) {
	for _, problem := range problems {
		texts = append(texts, problem.Message)
	}
	return texts
}

func TestInvalidTemplates(t *testing.T) {
	t.Parallel()
	const (
		scheme    = "must begin with http:// or https://"
		host      = "must have a host name or an IP address, and a port up to 65535 if any"
		slash     = "must have a / behind the host"
		name      = "the name of a variable has 1 to 64 characters of a-z, 0-9 and _"
		userInfo  = "must not contain a user name or a password"
		variables = "the host must not contain placeholders"
		dots      = "must not contain the path segments . and .."
	)
	for template, want := range map[string][]string{
		"":                                   {scheme},
		"javascript:alert(1)":                {scheme},
		"javascript://ci.example.com/":       {scheme},
		"{{scheme}}://ci.example.com/":       {scheme},
		"{{base}}/job":                       {scheme},
		"//ci.example.com/":                  {scheme},
		" https://ci.example.com/":           {scheme},
		"HTTPS://ci.example.com/":            {scheme},
		"https://":                           {host, slash},
		"https:///job":                       {host},
		"https://ci.example.com":             {slash},
		"https://ci.example.com?a=b":         {slash},
		"https://ci.example.com{{path}}":     {variables, slash},
		"https://{{host}}/job":               {variables},
		"https://ci.{{domain}}/job":          {variables},
		"https://ci.example.com:{{port}}/":   {variables},
		"https://ada@ci.example.com/":        {userInfo},
		"https://ada:secret@ci.example.com/": {userInfo},
		`https://evil\.example.com/`:         {host},
		`https:\\ci.example.com/`:            {scheme},
		"https://ci.example.com:0/":          {host},
		"https://ci.example.com:65536/":      {host},
		"https://ci.example.com:/":           {host},
		"https://ci..example.com/":           {host},
		"https://-/":                         {host},
		"https://ci%2eexample/":              {host},
		"https://[::1/":                      {host},
		"https://[fe80::1%25eth0]/":          {host},
		"https://größe.example/":             {host},
		"https://ci/{{a{{b}}}}":              {"placeholders must not be nested", "must be percent-encoded: '}'"},
		"https://ci/{{a":                     {"a placeholder has no end: }}"},
		"https://ci/{{}}":                    {name},
		"https://ci/{{ a }}":                 {name},
		"https://ci/{{A}}":                   {name},
		"https://ci/{a}":                     {"must be percent-encoded: '{'"},
		"https://ci/{{vi_x}}":                {"unknown system variable: vi_x"},
		"https://ci/a b":                     {"must be percent-encoded: ' '"},
		"https://ci/a\\b":                    {`must be percent-encoded: '\\'`},
		"https://ci/\x00":                    {`must be percent-encoded: '\x00'`},
		"https://ci/ö":                       {"must be percent-encoded: 'ö'"},
		"https://ci/%4{{a}}":                 {"must be percent-encoded: '%'"},
		"https://ci/%":                       {"must be percent-encoded: '%'"},
		"https://ci/../{{a}}":                {dots},
		"https://ci/%2e%2E/":                 {dots},
		"https://a@b/{{A}}{{vi_x}}<":         {userInfo, name, "unknown system variable: vi_x", "must be percent-encoded: '<'"},
	} {
		_, problems := urltemplate.Parse(template)
		require.Equal(t, want, messages(problems), template)
	}
}

// safe matches URLs that browsers parse like RFC 3986: they treat a backslash as a slash, and remove tabs and line breaks.
var safe = regexp.MustCompile(`^https?://[A-Za-z0-9_.:\[\]-]+/[!#-;=?-\[\]_a-z~%]*$`)

// TestRenderedURLsKeepTheirHost renders templates that are valid, or nearly, with any values.
func TestRenderedURLsKeepTheirHost(t *testing.T) {
	t.Parallel()
	literals := rapid.SampledFrom([]string{"job", "/", "//", ".", "..", "%2e", "%2F", "@", ":", "?", "#", "&", "=", "\\", "{", "}", "{{", "}}", "%", "+", "x", "é", "\t", "[", "]"})
	origins := rapid.SampledFrom([]string{
		"https://ci.example.com", "http://ci:8080", "https://[2001:db8::1]:1", "https://ci.example.com@", "https://{{a}}", "https:/", "javascript:", "//ci", "https://ci.example.com\\",
	})
	placeholders := rapid.SampledFrom([]string{"{{a}}", "{{b}}", "{{vi_version}}"})
	values := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.SampledFrom([]rune("./\\@:?#%{}&=+ 2eEa\t\n"))))
	rendered := 0
	rapid.Check(t, func(t *rapid.T) {
		text := origins.Draw(t, "origin") + "/" + strings.Join(rapid.SliceOfN(rapid.OneOf(literals, placeholders), 0, 12).Draw(t, "rest"), "")
		template, problems := urltemplate.Parse(text)
		if len(problems) > 0 {
			return
		}
		given := map[string]string{"a": values.Draw(t, "a"), "b": values.Draw(t, "b"), "vi_version": values.Draw(t, "version")}
		got, problems := template.Render(given)
		if len(problems) > 0 {
			require.Empty(t, got)
			return
		}
		rendered++
		require.Regexp(t, safe, got)
		want := parse(t, regexp.MustCompile(`\{\{\w+\}\}`).ReplaceAllString(text, "x"))
		is := parse(t, got)
		require.Equal(t, want.Scheme, is.Scheme)
		require.Equal(t, want.Host, is.Host)
		require.Nil(t, is.User)
		require.Equal(t, strings.Count(want.EscapedPath(), "/"), strings.Count(is.EscapedPath(), "/"))
		for segment := range strings.SplitSeq(is.EscapedPath(), "/") {
			require.NotContains(t, []string{".", ".."}, strings.ReplaceAll(strings.ToLower(segment), "%2e", "."), "browsers remove no segment")
		}
		require.Equal(t, strings.Count(want.RawQuery, "&"), strings.Count(is.RawQuery, "&"))
		require.Equal(t, strings.Contains(text, "#"), strings.Contains(got, "#"))
	})
	require.Positive(t, rendered)
}

func parse(t *rapid.T, text string) *url.URL {
	parsed, err := url.Parse(text)
	require.NoError(t, err)
	return parsed
}
