package examples_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// operation is an operation of the document with its parameters.
type operation struct {
	*openapi3.Operation

	method, path string
	params       openapi3.Parameters
}

// operations returns the operations of the document.
func operations(document *openapi3.T) []operation {
	var all []operation
	for _, path := range document.Paths.InMatchingOrder() {
		item := document.Paths.Value(path)
		for method, op := range item.Operations() {
			params := append(slices.Clone(item.Parameters), op.Parameters...)
			all = append(all, operation{Operation: op, method: method, path: path, params: params})
		}
	}
	return all
}

func find(document *openapi3.T, id string) operation {
	all := operations(document)
	return all[slices.IndexFunc(all, func(op operation) bool { return op.OperationID == id })]
}

// scheme returns the scheme of a program: browsers add the session cookie by themselves.
func (o operation) scheme() string {
	for _, requirement := range *o.Security {
		for name := range requirement {
			return name
		}
	}
	return ""
}

// feedScheme is the scheme whose credential is in the address.
const feedScheme = "CalendarFeedToken"

// isRedirect reports whether a browser navigates to the operation, and programs do not call it.
func (o operation) isRedirect() bool {
	status, _ := o.success()
	return status == http.StatusFound
}

// target is the URL path and query with the examples of the parameters.
func (o operation) target() string {
	path, query := o.path, url.Values{}
	shown, _ := o.Extensions["x-example-parameters"].([]any)
	for _, reference := range o.params {
		param := reference.Value
		value := text(param.Example)
		switch {
		case param.In == openapi3.ParameterInPath:
			path = strings.ReplaceAll(path, "{"+param.Name+"}", value)
		case slices.Contains(shown, any(param.Name)):
			query.Set(param.Name, value)
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path
}

func (o operation) requestExample(name string) any {
	if o.RequestBody == nil {
		return nil
	}
	return exampleOf(o.RequestBody.Value.Content, name)
}

// exampleOf returns the example of that name, or the only one.
func exampleOf(content openapi3.Content, name string) any {
	for _, media := range content {
		if example := media.Examples[name]; example != nil {
			return example.Value.Value
		}
		return media.Example
	}
	return nil
}

// mediaType returns the media type of the request's body.
func (o operation) mediaType() string {
	for media := range o.RequestBody.Value.Content {
		return media
	}
	return ""
}

// examples returns the names of the examples of a request. An unnamed example is "".
func (o operation) examples() []string {
	if o.RequestBody == nil {
		return []string{""}
	}
	var names []string
	for name := range o.RequestBody.Value.Content[o.mediaType()].Examples {
		names = append(names, name)
	}
	if names == nil {
		return []string{""}
	}
	return names
}

// success returns the successful response.
func (o operation) success() (status int, response *openapi3.Response) {
	for code, reference := range o.Responses.Map() {
		if strings.HasPrefix(code, "2") || code == "302" {
			status, _ = strconv.Atoi(code)
			return status, reference.Value
		}
	}
	return 0, nil
}

// checkRequest compares a request with an example.
func (o operation) checkRequest(r *http.Request, body []byte, example string) error {
	want, err := url.Parse(o.target())
	if err != nil {
		return fmt.Errorf("URL of the example: %w", err)
	}
	query := r.URL.Query()
	if o.scheme() == feedScheme && query.Has("token") {
		query.Del("token")
	} else if (o.scheme() == "") != (r.Header.Get("Authorization") == "") {
		return errors.New("a credential must be sent exactly where the operation requires one")
	}
	if r.Method != o.method || r.URL.Path != want.Path || !reflect.DeepEqual(query, want.Query()) {
		return fmt.Errorf("the request is %s %s, the example %s %s", r.Method, r.URL, o.method, want)
	}
	expected := o.requestExample(example)
	if expected == nil {
		if len(body) > 0 {
			return fmt.Errorf("the body is %s, the example has none", body)
		}
		return nil
	}
	if text, isText := expected.(string); isText {
		if media := r.Header.Get("Content-Type"); media != o.mediaType() || string(body) != text {
			return fmt.Errorf("the body is %q of the type %q, the example %q", body, media, text)
		}
		return nil
	}
	var sent any
	if err := json.Unmarshal(body, &sent); err != nil {
		return fmt.Errorf("the body is not JSON: %w: %s", err, body)
	}
	if !reflect.DeepEqual(sent, expected) {
		return fmt.Errorf("the body is %v, the example %v", sent, expected)
	}
	return nil
}

// example returns a member of the response's example.
func (o operation) example(t *testing.T, member string) string {
	t.Helper()
	_, response := o.success()
	value, ok := exampleOf(response.Content, "").(map[string]any)[member].(string)
	require.True(t, ok, "%s has no %s", o.OperationID, member)
	return value
}

// text formats the example of a parameter for a URL.
func text(example any) string {
	if number, ok := example.(float64); ok {
		return strconv.FormatFloat(number, 'f', -1, 64)
	}
	return fmt.Sprint(example)
}

func isUUID(text string) bool {
	_, err := uuid.Parse(text)
	return err == nil
}

func isTime(text string) bool {
	_, err := time.Parse(time.RFC3339, text)
	return err == nil
}
