package ingest_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/ingest"
)

func TestCleanBody(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		body, want string
		invalid    []string
	}{
		"Clean":              {`{"name":"a","m":{"x":"\u00e9\n\\u0000 😀"}}`, `{"name":"a","m":{"x":"\u00e9\n\\u0000 😀"}}`, nil},
		"SurrogatePair":      {`{"name":"\ud83d\ude00"}`, `{"name":"\ud83d\ude00"}`, nil},
		"ByteOrderMark":      {"\uFEFF" + `{"m":"x"}`, `{"m":"x"}`, nil},
		"ByteOrderMarkTwice": {"\uFEFF\uFEFF{}", "\uFEFF{}", nil},
		"NUL":                {`{"m":"W\u0000in"}`, `{"m":"W` + "\uFFFD" + `in"}`, nil},
		"NULByte":            {"{\"m\":\"W\x00in\"}", `{"m":"W` + "\uFFFD" + `in"}`, nil},
		"NULAsName":          {`{"m":{"\u0000":1}}`, `{"m":{"` + "\uFFFD" + `":1}}`, nil},
		"LoneSurrogate":      {`{"m":"ship it \ud83d"}`, `{"m":"ship it ` + "\uFFFD" + `"}`, nil},
		"SurrogatesReversed": {`{"m":"\ude00\uD83D"}`, `{"m":"` + "\uFFFD\uFFFD" + `"}`, nil},
		"Latin1":             {"{\"m\":\"caf\xe9\"}", `{"m":"caf` + "\uFFFD" + `"}`, nil},
		"OtherBytesStay":     {"{ \"a\":\"\\/\\u00e9\" , \"m\":\"\xff\",\"n\":1.0e0 }\n", `{ "a":"\/\u00e9" , "m":"` + "\uFFFD" + `","n":1.0e0 }` + "\n", nil},
		"EqualNames":         {"{\"m\":{\"\xe4\":1,\"\xf6\":2}}", `{"m":{"` + "\uFFFD" + `":1,"` + "\uFFFD\uFFFD" + `":2}}`, nil},
		"UserInfoToo":        {`{"\ud800":"x://u\u0000:p@h"}`, `{"` + "\uFFFD" + `":"x://h"}`, nil},
		"InvalidName":        {`{"name":"a\u0000","m":"\ud800"}`, `{"name":"a` + "\uFFFD" + `","m":"` + "\uFFFD" + `"}`, []string{"name"}},
		"InvalidNames":       {"{\"version\":\"\\ud800\",\"name\":\"\xff\"}", `{"version":"` + "\uFFFD" + `","name":"` + "\uFFFD" + `"}`, []string{"version", "name"}},
		"ReplacementInName":  {`{"name":"a\ufffd","m":"\u0000"}`, `{"name":"a\ufffd","m":"` + "\uFFFD" + `"}`, nil},
		"NameInside":         {`{"m":{"name":"\u0000"}}`, `{"m":{"name":"` + "\uFFFD" + `"}}`, nil},
		"List":               {`["\u0000"]`, `["` + "\uFFFD" + `"]`, nil},
		"NotJSON":            {"{\"m\":\"\xff\"", "{\"m\":\"\xff\"", nil},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := []byte(test.body)
			got, invalid := ingest.CleanBody(body, "name", "version")
			require.Equal(t, test.want, string(got))
			require.Equal(t, test.invalid, invalid)
			if test.body == test.want {
				require.Same(t, &body[0], &got[0], "the body is not copied")
			}
		})
	}
}

// FuzzCleanBody checks that JSON with any bytes in its strings becomes JSON that can be stored, and that a second pass keeps.
func FuzzCleanBody(f *testing.F) {
	for _, seed := range []string{`{"a":"\u0000"}`, `["\ud83d","x://u@h"]`, "{\"\xff\":1,\"\xfe\":2}", "\"a\x00\"", "\uFEFF{}", `{"a":1,"a":2}`, `{"a\u0000":1,"a\ufffd":2}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		value := jsontext.Value(bytes.ReplaceAll(bytes.TrimPrefix(body, []byte("\uFEFF")), []byte{0}, []byte(`\u0000`)))
		if !value.IsValid(jsontext.AllowInvalidUTF8(true)) {
			return
		}
		clean, _ := ingest.CleanBody(body)
		if !jsontext.Value(clean).IsValid() || !utf8.Valid(clean) {
			t.Fatalf("%q became %q", body, clean)
		}
		found, _ := stringsOf(clean)
		if strings.ContainsRune(strings.Join(found, ""), 0) {
			t.Fatalf("%q became %q", body, clean)
		}
		if again, _ := ingest.CleanBody(clean); !bytes.Equal(again, clean) {
			t.Fatalf("%q became %q, then %q", body, clean, again)
		}
	})
}

// BenchmarkCleanBody measures an ordinary body, which is not copied, and one with escapes in it.
func BenchmarkCleanBody(b *testing.B) {
	plain := []byte(`{"product_name":"checkout","version":"1.4.2","environment_name":"production","status":"completed","source_system":"github",
		"scm_repository":"https://github.com/acme/checkout","deploy_url":"https://github.com/acme/checkout/actions/runs/16421337842",
		"deployed_by_email":"ada@example.com","extra_metadata":{"vi_gh_run_attempt":"1","notes":"` + strings.Repeat("nothing to see ", 40) + `"}}`)
	for name, body := range map[string][]byte{
		"Plain":     plain,
		"Escaped":   bytes.ReplaceAll(plain, []byte("/"), []byte(`\/`)),
		"NotUTF8":   bytes.ReplaceAll(plain, []byte("see"), []byte("\xe9")),
		"UserInfo":  bytes.ReplaceAll(plain, []byte("https://"), []byte("https://bot:s3cret@")),
		"NonLatin1": bytes.ReplaceAll(plain, []byte("see"), []byte(`\u00e9`)),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ingest.CleanBody(body, "product_name", "version")
			}
		})
	}
}
