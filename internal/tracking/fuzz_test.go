package tracking

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// FuzzStatusWords knows no word that is not in the list, whatever stands around it.
func FuzzStatusWords(f *testing.F) {
	for _, seed := range []string{"success", " FAILED\n", "Cancelled", "ſuccess", "done", "", "completed\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		status, known := ParseStatus(text)
		word := strings.ToLower(strings.TrimSpace(text))
		if known != slices.Contains(AcceptedStatusWords(), word) {
			t.Fatalf("%q: known %v", text, known)
		}
		if again, _ := ParseStatus(string(status)); known && again != status {
			t.Fatalf("%q is %q, which is %q", text, status, again)
		}
	})
}

// FuzzEnvironmentNames takes nothing for production that does not have one of its words as a word of its own, and nothing
// for anything that has no word of the table.
func FuzzEnvironmentNames(f *testing.F) {
	for _, seed := range []string{"production-us-east", "non-prod", "pre prod", "LIVE", "latest", "delivery", "prod.qa", "Ünïcödé-live", "non-prod-prod", "прод"} {
		f.Add(seed)
	}
	words := regexp.MustCompile(`[\p{L}\p{Nd}\p{Nl}\p{No}]+`)
	f.Fuzz(func(t *testing.T, name string) {
		inferred := InferEnvironmentType(name)
		capitals := strings.ToUpper(name)
		comesBack := strings.ToLower(capitals) == strings.ToLower(name) //nolint:staticcheck // letters of which that is not true are others
		if again := InferEnvironmentType(capitals); comesBack && again != inferred {
			t.Fatalf("%q is %s, in capitals %s", name, inferred, again)
		}
		found := make(map[EnvironmentType]bool)
		for _, word := range words.FindAllString(strings.ToLower(name), -1) {
			found[typeOfToken[word]] = true
		}
		switch {
		case inferred == ProductionType && (!found[ProductionType] || found[DevType] || found[TestType] || found[StagingType]):
			t.Fatalf("%q is taken for production", name)
		case inferred == StagingType && !found[StagingType] && !found[ProductionType], inferred == DevType && !found[DevType], inferred == TestType && !found[TestType]:
			t.Fatalf("%q is taken for %s", name, inferred)
		case inferred == OtherType && (found[DevType] || found[TestType] || found[StagingType]):
			t.Fatalf("%q is taken for nothing", name)
		}
	})
}

// FuzzFingerprint writes the same object in another way, and another object.
func FuzzFingerprint(f *testing.F) {
	for _, seed := range []string{`{"b":1,"a":{"d":[1,2],"c":"x"}}`, `{"a":1.50}`, `{"a":"\u00e9"}`, `{}`, `{"a":1e2}`} {
		f.Add([]byte(seed), "more")
	}
	f.Fuzz(func(t *testing.T, body []byte, name string) {
		var object map[string]any
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.UseNumber()
		if decoder.Decode(&object) != nil || object == nil || decoder.More() {
			return
		}
		var check checker
		sorted, err := json.MarshalIndent(object, "  ", "\t")
		if err != nil {
			t.Fatal(err)
		}
		want := check.fingerprint("op", body)
		if check.fault != nil {
			return // refused before: names that appear twice, text that is not UTF-8
		}
		if !bytes.Equal(want, check.fingerprint("op", sorted)) {
			t.Fatalf("%s and %s differ", body, sorted)
		}
		if bytes.Equal(want, check.fingerprint("other", body)) {
			t.Fatal("another operation is the same")
		}
		if _, taken := object[name]; !taken && strings.IndexFunc(name, unicode.IsControl) < 0 {
			object[name] = "more"
			other, err := json.Marshal(object)
			if err == nil && bytes.Equal(want, check.fingerprint("op", other)) {
				t.Fatalf("%s and %s are the same", body, other)
			}
		}
	})
}
