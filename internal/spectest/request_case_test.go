package spectest_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// given is one request to an operation.
type given struct {
	what   string // what is special about it
	path   map[string]string
	query  url.Values
	header http.Header

	rawQuery string // sent instead of query, when not empty
	body     any    // marshalled, unless nil
	raw      string // sent instead of body, when isRaw
	isRaw    bool
}

// with returns a copy that may be changed without changing the original.
func (g given) with(what string) given {
	g.what = what
	g.path, g.header, g.body = maps.Clone(g.path), g.header.Clone(), clone(g.body)
	query := make(url.Values)
	for name, values := range g.query {
		query[name] = slices.Clone(values)
	}
	g.query = query
	if g.header == nil {
		g.header = make(http.Header)
	}
	return g
}

// clone copies what is made of objects and lists.
func clone(value any) any {
	switch value := value.(type) {
	case map[string]any:
		copied := make(map[string]any, len(value))
		for name, member := range value {
			copied[name] = clone(member)
		}
		return copied
	case []any:
		copied := make([]any, len(value))
		for i, item := range value {
			copied[i] = clone(item)
		}
		return copied
	default:
		return value
	}
}

// target is the address.
func (g given) target(op operation) string {
	target := op.path
	for name, value := range g.path {
		target = strings.ReplaceAll(target, "{"+name+"}", value)
	}
	if query := cmp.Or(g.rawQuery, g.query.Encode()); query != "" {
		target += "?" + query
	}
	return target
}

// send sends a request with a credential that fits the operation.
func (w *world) send(t *testing.T, op operation, g given) testapi.Answer {
	t.Helper()
	text := []byte(g.raw)
	if !g.isRaw && op.RequestBody != nil {
		var err error
		text, err = json.Marshal(g.body)
		require.NoError(t, err)
	}
	request := w.api.Request(t, op.method, g.target(op), text)
	if op.RequestBody != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	switch op.scheme(t) {
	case keys:
		request.Header.Set("Authorization", "Bearer "+w.api.Key)
	case people:
		request.Header.Set("Authorization", "Bearer "+w.admin)
	}
	maps.Copy(request.Header, g.header)
	answer := w.api.Do(t, request)
	if op.scheme(t) != "" && answer.Status != http.StatusUnauthorized {
		for _, name := range []string{"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} {
			require.Regexp(t, `^\d+$`, answer.Header.Get(name), "%s: contract.md §11 has it on every authenticated answer", name)
		}
	}
	return answer
}

// show says which request it was, shortened.
func (g given) show(op operation) string {
	text := g.raw
	if !g.isRaw {
		marshalled, err := json.Marshal(g.body)
		if err != nil {
			return err.Error()
		}
		text = string(marshalled)
	}
	const enough = 600
	return fmt.Sprintf("%s, %s: %s %.300s %v %s", op.OperationID, g.what, op.method, g.target(op), g.header, text[:min(len(text), enough)])
}
