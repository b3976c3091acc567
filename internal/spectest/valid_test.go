package spectest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
)

// TestWhatSchemasAllowIsAccepted sends every operation what its schemas allow, and wants the one status that says that it
// was done: nothing that the document allows is refused.
func TestWhatSchemasAllowIsAccepted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.populate(t)
	sent := 0
	for _, op := range operations(w.document) {
		t.Run(op.OperationID, func(t *testing.T) {
			for _, g := range w.valid(t, op) {
				answer := w.send(t, op, g)
				require.Equal(t, op.success(t), answer.Status, "%s\n%s", g.show(op), answer.Body)
				requireEchoed(t, op, g, answer)
				w.requireKept(t, op, g, answer)
				sent++
			}
		})
	}
	t.Logf("%d requests", sent)
}

// valid are requests that the document allows, each with the objects that it needs.
func (w *world) valid(t *testing.T, op operation) []given {
	t.Helper()
	all := w.validBodies(t, op)
	base := all[0]
	for _, place := range []string{openapi3.ParameterInQuery, openapi3.ParameterInHeader} {
		everything := w.again(t, op, base.with("every parameter"))
		for _, reference := range op.paramsIn(place) {
			if reference.Value.Name != "cursor" { // which belongs to the other parameters
				everything.put(reference.Value, w.paramSamples(t, op, reference, base)[0].value.(string))
			}
			for _, value := range w.paramSamples(t, op, reference, base) {
				one := w.again(t, op, base.with(reference.Value.Name+": "+value.what))
				one.put(reference.Value, value.value.(string))
				all = append(all, one)
			}
		}
		all = append(all, everything)
	}
	for _, reference := range op.paramsIn(openapi3.ParameterInPath) {
		upper := w.again(t, op, base.with("upper case in the path"))
		require.Equal(t, "uuid", reference.Value.Schema.Value.Format)
		upper.path[reference.Value.Name] = strings.ToUpper(upper.path[reference.Value.Name])
		all = append(all, upper)
	}
	return all
}

// validBodies are requests with each body that the schema allows; one without for an operation that takes none.
func (w *world) validBodies(t *testing.T, op operation) []given {
	t.Helper()
	reference := op.body(t)
	if reference == nil {
		g := w.fill(t, op, given{what: "nothing else"}.with("nothing else"))
		w.populateBelow(t, op, g)
		return []given{g}
	}
	var all []given
	for _, s := range w.make.samples(t, component(reference.Ref), reference) {
		body := clone(s.value).(map[string]any)
		w.complete(t, component(reference.Ref), body)
		requireAllowed(t, reference, body)
		all = append(all, w.fill(t, op, given{what: s.what, body: body}.with(s.what)))
	}
	return all
}

// again gives a request that changes something objects of its own, and names that are free.
func (w *world) again(t *testing.T, op operation, g given) given {
	t.Helper()
	if op.method == http.MethodGet {
		return g
	}
	if reference := op.body(t); reference != nil {
		body := w.make.everything(t, reference)
		w.complete(t, component(reference.Ref), body)
		g.body = body
	}
	return w.fill(t, op, g)
}

// paramSamples are texts that a parameter may be.
func (w *world) paramSamples(t *testing.T, op operation, reference *openapi3.ParameterRef, base given) []sample {
	t.Helper()
	param := reference.Value
	switch component(reference.Ref) {
	case "Cursor":
		return []sample{{"the second page", w.cursor(t, op, base)}}
	case "IfMatch": // any other is stale: preconditions_test.go
		return []sample{{"any", "*"}}
	case "IdempotencyKey":
		if op.OperationID == "createVersionEvent" { // it shares its keys with createBuildEvent, which has used the others
			return []sample{{"a key", w.name()}}
		}
	}
	found := w.make.samples(t, component(reference.Ref), param.Schema)
	texts := make([]sample, 0, len(found))
	for _, s := range found {
		if text, ok := paramText(s.value); ok {
			texts = append(texts, sample{s.what, text})
		}
	}
	require.NotEmpty(t, texts)
	return texts
}

func (g given) put(param *openapi3.Parameter, value string) {
	if param.In == openapi3.ParameterInQuery {
		if g.query == nil {
			g.query = make(url.Values)
		}
		g.query[param.Name] = []string{value}
		return
	}
	g.header[http.CanonicalHeaderKey(param.Name)] = []string{value}
}

// paramText writes a value as a parameter; a number with a fraction or an exponent is one of JSON alone.
func paramText(value any) (string, bool) {
	switch value := value.(type) {
	case string:
		return value, true
	case int64:
		return strconv.FormatInt(value, 10), true
	default:
		return "", false
	}
}

// requireAllowed makes sure that the tests send what the document allows, and not what this server lets pass beside it.
func requireAllowed(t *testing.T, reference *openapi3.SchemaRef, body any) {
	t.Helper()
	text, err := json.Marshal(body)
	require.NoError(t, err)
	var value any
	require.NoError(t, json.Unmarshal(text, &value))
	require.NoError(t, reference.Value.VisitJSON(value, openapi3.MultiErrors()), "%.500s", text)
}
