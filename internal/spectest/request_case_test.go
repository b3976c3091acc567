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

// requestCase is one request to an operation.
type requestCase struct {
	name   string // what distinguishes it
	path   map[string]string
	query  url.Values
	header http.Header

	rawQuery string // sent instead of query, when not empty
	body     any    // marshalled, unless nil
	raw      string // sent instead of body, when isRaw
	isRaw    bool
}

// with returns a deep copy with another name.
func (c requestCase) with(name string) requestCase {
	c.name = name
	c.path, c.header, c.body = maps.Clone(c.path), c.header.Clone(), clone(c.body)
	query := make(url.Values)
	for name, values := range c.query {
		query[name] = slices.Clone(values)
	}
	c.query = query
	if c.header == nil {
		c.header = make(http.Header)
	}
	return c
}

// clone returns a deep copy of a JSON value.
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

// target returns the URL path and query.
func (c requestCase) target(op operation) string {
	target := op.path
	for name, value := range c.path {
		target = strings.ReplaceAll(target, "{"+name+"}", value)
	}
	if query := cmp.Or(c.rawQuery, c.query.Encode()); query != "" {
		target += "?" + query
	}
	return target
}

// send sends the request with a valid credential for the operation.
func (f *fixture) send(t *testing.T, op operation, c requestCase) testapi.Answer {
	t.Helper()
	text := []byte(c.raw)
	if !c.isRaw && op.RequestBody != nil {
		var err error
		text, err = json.Marshal(c.body)
		require.NoError(t, err)
	}
	request := f.api.Request(t, op.method, c.target(op), text)
	if op.RequestBody != nil {
		request.Header.Set("Content-Type", cmp.Or(op.textType(), "application/json"))
	}
	switch op.scheme(t) {
	case keyScheme:
		request.Header.Set("Authorization", "Bearer "+f.api.Key)
	case jwtScheme:
		request.Header.Set("Authorization", "Bearer "+f.admin)
	case feedScheme:
		f.addFeedToken(request)
	}
	maps.Copy(request.Header, c.header)
	answer := f.api.Do(t, request)
	if op.scheme(t) != "" && answer.Status != http.StatusUnauthorized {
		for _, name := range []string{"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} {
			require.Regexp(t, `^\d+$`, answer.Header.Get(name), "%s: every authenticated response has it", name)
		}
	}
	return answer
}

// addFeedToken adds the token of the calendar feed to the address of a request.
func (f *fixture) addFeedToken(request *http.Request) {
	request.URL.RawQuery = strings.TrimPrefix(request.URL.RawQuery+"&token="+f.feed, "&")
}

// describe formats the request for messages, shortened.
func (c requestCase) describe(op operation) string {
	text := c.raw
	if !c.isRaw {
		marshalled, err := json.Marshal(c.body)
		if err != nil {
			return err.Error()
		}
		text = string(marshalled)
	}
	const maxLength = 600
	return fmt.Sprintf("%s, %s: %s %.300s %v %s", op.OperationID, c.name, op.method, c.target(op), c.header, text[:min(len(text), maxLength)])
}
