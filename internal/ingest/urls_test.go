package ingest_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/ingest"
)

func TestStripUserInfo(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://bot:s3cret@git.example.com/acme/shop.git": "https://git.example.com/acme/shop.git",
		"ssh://git:x@host":                                     "ssh://host",
		"https://token@host/x":                                 "https://host/x",
		"https://@host/x":                                      "https://host/x",
		"https://:s3cret@host:8443/x":                          "https://host:8443/x",
		"https://bot:p%40ss%2Fw@host/x":                        "https://host/x",
		"https://bot:p@ss@w@host/x":                            "https://host/x",
		"https://bot:it's@host":                                "https://host",
		"https://bot:pässwörd@höst/":                           "https://höst/",
		"https://bot:s3cret@[::1]:80/":                         "https://[::1]:80/",
		"HTTPS://Bot:S3cret@Host":                              "HTTPS://Host",
		"git+https://bot:s3cret@host/x":                        "git+https://host/x",
		"jdbc:postgresql://app:s3cret@db/shop":                 "jdbc:postgresql://db/shop",
		"clone https://a:b@h/x and ssh://c:d@i\nhttps://e:f@j": "clone https://h/x and ssh://i\nhttps://j",
		"https://a:b@h1,https://c:d@h2":                        "https://h1,https://h2",
		`see "https://host" or mail ada@example.com`:           `see "https://host" or mail ada@example.com`,
		`"https://host"@example`:                               `"https://host"@example`,
		"https://proxy.example.com/https://bot:s3cret@host/x":  "https://proxy.example.com/https://host/x",
		"https://host?user=a@b":                                "https://host?user=a@b",
		"https://host#a@b":                                     "https://host#a@b",
		"https://host/@scope/package":                          "https://host/@scope/package",
		"https://host\u00a0ada@example.com":                    "https://host\u00a0ada@example.com",
		"https://host":                                         "https://host",
		"git@github.com:owner/repo":                            "git@github.com:owner/repo",
		"mailto:ada@example.com":                               "mailto:ada@example.com",
		"vstfs:///Build/Build/42":                              "vstfs:///Build/Build/42",
		"owner/repo":                                           "owner/repo",
		"a :// b @ c":                                          "a :// b @ c",
		"":                                                     "",
	} {
		require.Equal(t, want, ingest.StripUserInfo(text), text)
	}
}

func TestStripUserInfoJSON(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ body, want string }{
		"Plain":           {`{"a": "https://bot:s3cret@host/x" , "b":1.50}`, `{"a": "https://host/x" , "b":1.50}`},
		"EscapedSlashes":  {`{"a":"https:\/\/bot:s3cret@host\/x\/é"}`, `{"a":"https://host/x/é"}`},
		"EscapedAt":       {`{"a":"https://bot:s3cret\u0040host"}`, `{"a":"https://host"}`},
		"EscapedColon":    {`{"a":"https\u003a//bot:s3cret@host"}`, `{"a":"https://host"}`},
		"EscapedSlash":    {`{"a":"https:\u002F\u002fbot:s3cret@host"}`, `{"a":"https://host"}`},
		"EscapedLetter":   {`{"a":"https://b\u006ft:s3cret@host"}`, `{"a":"https://host"}`},
		"EscapedQuote":    {`{"a":"\"https://bot:s3cret@host\""}`, `{"a":"\"https://host\""}`},
		"EscapedSpace":    {`{"a":"https://host\nada@example.com"}`, `{"a":"https://host\nada@example.com"}`},
		"OthersStay":      {`{"a":"\u00e9\/","b":"ssh://x:y@h","c":["\/",1e2]}`, `{"a":"\u00e9\/","b":"ssh://h","c":["\/",1e2]}`},
		"Name":            {`{"https://bot:s3cret@host":1}`, `{"https://host":1}`},
		"EqualNames":      {`{"x://a@h":1,"x://b@h":2,"x://h":{"x://h":3}}`, `{"x://h":1,"x://h` + "\uFFFD" + `":2,"x://h` + "\uFFFD\uFFFD" + `":{"x://h":3}}`},
		"NamesTwice":      {`{"a":1,"a":2,"b":"x://u@h"}`, `{"a":1,"a":2,"b":"x://h"}`},
		"Nested":          {`[[{"a":["x://u:p@h"]}]]`, `[[{"a":["x://h"]}]]`},
		"AcrossStrings":   {`["x://h","u@v"]`, `["x://h","u@v"]`},
		"EMailAndURL":     {`{"m":"ada@example.com","u":"https://host/x"}`, `{"m":"ada@example.com","u":"https://host/x"}`},
		"SCP":             {`"git@github.com:owner\/repo"`, `"git@github.com:owner\/repo"`},
		"NotJSON":         {`{"a":"x://u:p@h"`, `{"a":"x://u:p@h"`},
		"Empty":           {``, ``},
		"EndsInBackslash": {`"@\`, `"@\`},
		"CutOffEscape":    {`"@\u00`, `"@\u00`},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := []byte(test.body)
			got := ingest.StripUserInfoJSON(body)
			require.Equal(t, test.want, string(got))
			if test.body == test.want && len(body) > 0 {
				require.Same(t, &body[0], &got[0], "the body is not copied")
			}
		})
	}
}

// FuzzStripUserInfo checks that the result has no user info, and that no URL was removed.
func FuzzStripUserInfo(f *testing.F) {
	for _, seed := range []string{"https://bot:s3cret@host/x", "a@b://c@d", "x://@://@", "x:///@", "ssh://\u2003@", "x://é@\xff@"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		stripped := ingest.StripUserInfo(text)
		if again := ingest.StripUserInfo(stripped); again != stripped {
			t.Fatalf("%q became %q, then %q", text, stripped, again)
		}
		if !strings.Contains(text, "://") && stripped != text || strings.Count(stripped, "://") < strings.Count(text, "://") {
			t.Fatalf("%q became %q", text, stripped)
		}
	})
}

// FuzzStripUserInfoJSON compares the result to StripUserInfo on each string of the document.
func FuzzStripUserInfoJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":"https://bot:s3cret@host"}`, `{"a":"https:\/\/bot:s3cret@host","b":"\u00e9"}`, `["x://u@h",{"x://v@h":1e2}]`, `"x\u003a//@h\n"`, `{"x://a@":1,"x://b@":2}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		want, isJSON := stringsOf(body)
		if !isJSON {
			return
		}
		got, isJSON := stringsOf(ingest.StripUserInfoJSON(body))
		if !isJSON || len(want) != len(got) {
			t.Fatalf("%q became another document", body)
		}
		for i := range want {
			if stripped := ingest.StripUserInfo(want[i]); stripped != strings.TrimRight(got[i], "\uFFFD") && stripped != got[i] {
				t.Fatalf("%q became %q", want[i], got[i])
			}
		}
	})
}

// stringsOf returns the strings of a JSON document, in their order.
func stringsOf(body []byte) (found []string, isJSON bool) {
	decoder := jsontext.NewDecoder(strings.NewReader(string(body)))
	for {
		token, err := decoder.ReadToken()
		if err != nil {
			return found, errors.Is(err, io.EOF)
		}
		if token.Kind() == '"' {
			found = append(found, token.String())
		}
	}
}
