package spectest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// mixtures is how many bodies are put together at random for each schema, beside those that try one thing at a time.
const mixtures = 6

// sample is a value that a schema allows.
type sample struct {
	what  string
	value any
}

// generator makes samples; two with the same seed make the same.
type generator struct {
	random *rand.Rand
	count  int
	rules  map[string]func(*generator) []sample // what schemas do not say, by the component and its member
	words  []string                             // that a status may be
}

func newGenerator(t *testing.T, document *openapi3.T) *generator {
	t.Helper()
	seed := uint64(1)
	if text := os.Getenv("VERSIONER_TEST_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("VERSIONER_TEST_SEED=%d", seed)
	return &generator{random: rand.New(rand.NewPCG(seed, seed)), rules: rules(), words: statusWords(t, document)}
}

// statusWords reads the table of the words that a status may be, which no schema can say.
func statusWords(t *testing.T, document *openapi3.T) []string {
	t.Helper()
	var words []string
	for _, row := range regexp.MustCompile("(?m)^\\| `[a-z]+` \\| (.+) \\|$").FindAllStringSubmatch(document.Components.Schemas["EventStatus"].Value.Description, -1) {
		words = append(words, strings.Split(row[1], ", ")...)
	}
	require.Greater(t, len(words), 5)
	return words
}

// samples are values that the schema allows: the first is an ordinary one, the others are at its bounds. The key names
// the member by the component that it belongs to.
func (g *generator) samples(t *testing.T, key string, reference *openapi3.SchemaRef) []sample {
	t.Helper()
	schema := reference.Value
	found := g.ofType(t, key, reference)
	require.NotEmpty(t, found, "%s: the tests make no value of this schema", key)
	if schema.Nullable && !slices.ContainsFunc(found, func(s sample) bool { return s.value == nil }) {
		found = append(found, sample{"null", nil})
	}
	return found
}

func (g *generator) ofType(t *testing.T, key string, reference *openapi3.SchemaRef) []sample {
	t.Helper()
	schema := reference.Value
	if rule := g.rules[key]; rule != nil {
		return rule(g)
	}
	switch {
	case len(schema.Enum) > 0:
		found := make([]sample, 0, len(schema.Enum))
		for _, value := range schema.Enum {
			found = append(found, sample{fmt.Sprintf("one of the enum: %v", value), value})
		}
		return found
	case schema.Type.Is("string"):
		return g.strings(t, key, schema)
	case schema.Type.Is("integer"):
		return integers(t, key, schema)
	case schema.Type.Is("boolean"):
		return []sample{{"true", true}, {"false", false}}
	case schema.Type.Is("array"):
		return g.lists(t, key, schema)
	case schema.Type.Is("object") && len(schema.Properties) > 0:
		return g.objects(t, reference)
	case schema.Type.Is("object"):
		return freeObjects(schema)
	}
	return nil
}

func (g *generator) strings(t *testing.T, key string, schema *openapi3.Schema) []sample {
	t.Helper()
	switch schema.Format {
	case "":
		return g.texts(t, key, schema)
	case "uuid":
		id := uuid.Must(uuid.NewRandomFromReader(reader{g.random})).String()
		return []sample{{"a UUID", id}, {"upper case", strings.ToUpper(id)}, {"nil", uuid.Nil.String()}, {"all ones", uuid.Max.String()}}
	case "date-time":
		return []sample{
			{"a time", "2026-11-21T18:00:00Z"},
			{"with an offset", "2026-11-21T23:59:59+05:30"},
			{"with nanoseconds", "2026-11-21T18:00:00.123456789Z"},
			{"a leap day", "2024-02-29T00:00:00-12:00"},
			{"the first", "0001-01-01T00:00:00Z"},
			{"the last", "9999-12-31T23:59:59.999999Z"},
		}
	case "event-status":
		var found []sample
		for _, word := range g.words {
			found = append(found, sample{"a word", word})
		}
		return append(found, sample{"upper case", strings.ToUpper(g.words[0])}, sample{"padded", " \t" + g.words[1] + "\n"})
	default:
		require.Fail(t, "a format that the tests do not know", "%s: %s", key, schema.Format)
		return nil
	}
}

// reader makes bytes of random numbers.
type reader struct{ random *rand.Rand }

// Read fills p.
func (r reader) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r.random.Uint32())
	}
	return len(p), nil
}

// namePattern is that of names.
const namePattern = `\S`

// longest is for texts without a bound.
const longest = 300

// texts are no two alike, so that names are free.
func (g *generator) texts(t *testing.T, key string, schema *openapi3.Schema) []sample {
	t.Helper()
	shortest, most := max(int(schema.MinLength), 0), longest
	if schema.MaxLength != nil {
		most = int(*schema.MaxLength)
	}
	found := []sample{
		{"ordinary", g.unique(max(shortest, min(12, most)), 'x')},
		{"one character", string(rune('\u4e00' + g.next()))},
		{"shortest", g.unique(shortest, 'x')},
		{"longest", g.unique(most, 'y')},
		{"longest, of four bytes each", g.unique(most, '\U0001f600')},
		{"between", g.unique(shortest+g.random.IntN(most-shortest+1), 'é')},
		{"odd", g.unique(10, 'o') + "\u0001\u007f\u2028\ufffd\U0010ffff'\"\\%_<&>"},
		{"right to left", g.unique(10, 'ש')},
		{"padded", " \t" + g.unique(10, 'p') + "\n "},
		{"empty", ""},
	}
	if schema.Pattern == namePattern { // of which the prose says that control characters are refused
		for i, s := range found {
			found[i].value = strings.NewReplacer("\u0001", "", "\u007f", "").Replace(s.value.(string))
		}
	}
	if schema.Pattern != "" && !regexp.MustCompile(schema.Pattern).MatchString("é") { // one for whom no name must be free
		found = append(found, sample{"one character of ASCII", "~"})
	}
	found = slices.DeleteFunc(found, func(s sample) bool {
		length := len([]rune(s.value.(string)))
		return length < shortest || length > most || schema.Pattern != "" && !regexp.MustCompile(schema.Pattern).MatchString(s.value.(string))
	})
	require.GreaterOrEqual(t, len(found), 3, key)
	return found
}

func (g *generator) next() int {
	g.count++
	return g.count
}

// unique is a text of that length: a number in letters, and what it is filled up with.
func (g *generator) unique(length int, fill rune) string {
	number := []rune("n" + strconv.FormatInt(int64(g.next()), 36))
	if length < len(number)+1 {
		return string(slices.Repeat([]rune{'\u4e00' + rune(g.count)}, min(length, 1))) + strings.Repeat("z", max(length-1, 0))
	}
	return string(number) + strings.Repeat(string(fill), length-len(number))
}

func integers(t *testing.T, key string, schema *openapi3.Schema) []sample {
	t.Helper()
	require.False(t, schema.Min == nil || schema.Max == nil, "%s: a number needs its bounds", key)
	low, high := int64(*schema.Min), int64(*schema.Max)
	return []sample{
		{"between", low + (high-low)/2},
		{"lowest", low},
		{"highest", high},
		{"with a fraction of zero", json.Number(strconv.FormatInt(high, 10) + ".0")},
		{"with an exponent", json.Number(strconv.FormatInt(high/10, 10) + "e1")},
	}
}

func (g *generator) lists(t *testing.T, key string, schema *openapi3.Schema) []sample {
	t.Helper()
	items := g.samples(t, key+"[]", schema.Items)
	found := []sample{{"one", []any{items[0].value}}, {"none", []any{}}, {"twice the same", []any{items[0].value, items[0].value}}}
	for _, item := range items[1:] {
		found = append(found, sample{item.what, []any{item.value}})
	}
	if schema.MaxItems != nil {
		most := make([]any, *schema.MaxItems)
		for i := range most {
			most[i] = items[i%len(items)].value
		}
		found = append(found, sample{"as many as may be", most})
	}
	return found
}

// freeObjects are for a schema that names no members.
func freeObjects(schema *openapi3.Schema) []sample {
	found := []sample{
		{"of every kind", map[string]any{"text": "é\U0001f600", "number": 1.5, "list": []any{nil, true, map[string]any{}}, "": "", "deep": map[string]any{"er": []any{[]any{}}}}},
		{"none", map[string]any{}},
		{"null inside", map[string]any{"gone": nil}},
	}
	if limit, ok := schema.Extensions["x-max-bytes"].(float64); ok {
		found = append(found, sample{"largest", map[string]any{"a": strings.Repeat("x", int(limit)-len(`{"a":""}`))}})
	}
	return found
}

// objects have their required members and one other, or all but one; each member at each of its bounds; and mixtures.
func (g *generator) objects(t *testing.T, reference *openapi3.SchemaRef) []sample {
	t.Helper()
	schema, name := reference.Value, component(reference.Ref)
	members := make(map[string][]sample)
	for _, member := range slices.Sorted(maps.Keys(schema.Properties)) {
		members[member] = g.samples(t, name+"."+member, schema.Properties[member])
	}
	build := func(names []string) map[string]any { return g.object(t, reference, names) } // each time with names that are free
	all := slices.Sorted(maps.Keys(members))
	found := []sample{{"everything", build(all)}}
	for _, required := range minima(schema) {
		found = append(found, sample{"what is required", build(required)})
		for _, member := range all {
			for _, value := range members[member] {
				if value.value == nil && slices.Contains(required, member) {
					continue // what is null is absent, and an alternative asks for it
				}
				object := build(required)
				object[member] = value.value
				found = append(found, sample{member + ": " + value.what, object})
			}
			if !slices.Contains(required, member) {
				found = append(found, sample{"all but " + member, build(without(all, member, required))})
			}
		}
		for range mixtures {
			object := build(required)
			for _, member := range all {
				if g.random.IntN(2) == 0 {
					values := g.samples(t, name+"."+member, schema.Properties[member])
					if object[member] = values[g.random.IntN(len(values))].value; object[member] == nil && slices.Contains(required, member) {
						object[member] = values[0].value // one of the alternatives holds for what is not null
					}
				}
			}
			found = append(found, sample{"a mixture", object})
		}
	}
	if !closed(schema) {
		object := build(all)
		object["a_member_of_tomorrow"] = []any{1, "x"}
		found = append(found, sample{"an unknown member", object})
	}
	return found
}

// everything is an object with all the members that it may have.
func (g *generator) everything(t *testing.T, reference *openapi3.SchemaRef) map[string]any {
	t.Helper()
	return g.object(t, reference, slices.Sorted(maps.Keys(reference.Value.Properties)))
}

func (g *generator) object(t *testing.T, reference *openapi3.SchemaRef, names []string) map[string]any {
	t.Helper()
	object := make(map[string]any)
	for _, name := range names {
		property := reference.Value.Properties[name]
		switch key := component(reference.Ref) + "." + name; {
		case g.rules[key] == nil && len(property.Value.Properties) > 0:
			object[name] = g.everything(t, property)
		default:
			object[name] = g.samples(t, key, property)[0].value
		}
	}
	return object
}

// minima are the least sets of members that an object must have: one for each alternative.
func minima(schema *openapi3.Schema) [][]string {
	if len(schema.AnyOf) == 0 {
		return [][]string{schema.Required}
	}
	var all [][]string
	for _, alternative := range schema.AnyOf {
		all = append(all, slices.Concat(schema.Required, alternative.Value.Required))
	}
	return all
}

// without leaves out a member, unless that would leave none of the alternatives.
func without(all []string, member string, required []string) []string {
	kept := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return name == member })
	for _, name := range required {
		if !slices.Contains(kept, name) {
			kept = append(kept, name)
		}
	}
	return kept
}

// closed tells whether an object may have no other members than those that its schema names.
func closed(schema *openapi3.Schema) bool {
	has := schema.AdditionalProperties.Has
	return has != nil && !*has
}
