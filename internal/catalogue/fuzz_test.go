package catalogue

import (
	"encoding/json"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
)

// FuzzMergeMetadata merges a patch twice: the second time changes nothing, and the result is an object without nulls that
// the patch has put there.
func FuzzMergeMetadata(f *testing.F) {
	f.Add(`{"a":1,"b":{"c":[1]}}`, `{"a":null,"b":{"d":2}}`)
	f.Add(`{}`, `{"a":{"b":{"c":null}}}`)
	f.Add(`{"a":[null]}`, `null`)
	f.Fuzz(func(t *testing.T, before, patch string) {
		var object, members map[string]any
		if json.Unmarshal([]byte(before), &object) != nil || object == nil || json.Unmarshal([]byte(patch), &members) != nil {
			return
		}
		target, merge := json.RawMessage(before), json.RawMessage(patch)
		if err := mergePatch("m", &target, &merge); err != nil {
			return // too large
		}
		var after map[string]any
		if json.Unmarshal(target, &after) != nil || after == nil {
			t.Fatalf("%s and %s became %s", before, patch, target)
		}
		kept := string(target)
		if err := mergePatch("m", &target, &merge); err != nil || string(target) != kept {
			t.Fatalf("%s was merged into %s twice and became %s: %v", patch, kept, target, err)
		}
		if kept != before && jsonpatch.Equal([]byte(before), []byte(kept)) {
			t.Fatalf("%s became %s, which is equal", before, kept)
		}
	})
}
