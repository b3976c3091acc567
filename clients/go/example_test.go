package versioner_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/oapi-codegen/nullable"

	versioner "github.com/versioner-io/versioner/clients/go"
)

// serve starts a test server.
func serve(answer func(*http.Request) (status int, body string)) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, body := answer(r)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
}

// The problems of a request are a list.
func ExampleAPIError() {
	server := serve(func(*http.Request) (int, string) {
		return http.StatusUnprocessableEntity, `{"detail":[{"loc":["body","name"],"msg":"field required","type":"value_error.missing"}]}`
	})
	defer server.Close()
	client, err := versioner.New(server.URL, versioner.WithCredential("eyJ"))
	if err != nil {
		panic(err)
	}

	_, err = client.CreateProductWithResponse(context.Background(), nil, versioner.ProductCreate{})
	if refused, ok := errors.AsType[*versioner.APIError](err); ok && refused.Status == http.StatusUnprocessableEntity {
		for _, problem := range refused.Problems {
			fmt.Println(problem.Loc, problem.Msg, problem.Type)
		}
	}
	// Output: [body name] field required value_error.missing
}

// A list, whatever its length.
func ExampleAll() {
	server := serve(func(r *http.Request) (int, string) {
		if r.URL.Query().Get("cursor") == "c1" {
			return http.StatusOK, `{"items":[{"version":"1.4.1"}],"next_cursor":null}`
		}
		return http.StatusOK, `{"items":[{"version":"1.4.3"},{"version":"1.4.2"}],"next_cursor":"c1"}`
	})
	defer server.Close()
	client, err := versioner.New(server.URL)
	if err != nil {
		panic(err)
	}

	versions := versioner.All(func(cursor *string) ([]versioner.Version, nullable.Nullable[string], error) {
		answer, err := client.ListVersionsWithResponse(context.Background(), &versioner.ListVersionsParams{Product: new("checkout"), Cursor: cursor})
		if err != nil {
			return nil, nil, err
		}
		return answer.JSON200.Items, answer.JSON200.NextCursor, nil
	})
	for version, err := range versions {
		if err != nil {
			panic(err)
		}
		fmt.Println(version.Version)
	}
	// Output:
	// 1.4.3
	// 1.4.2
	// 1.4.1
}

// A token of an identity provider, fetched for each call.
func ExampleWithCredentialFunc() {
	server := serve(func(r *http.Request) (int, string) {
		fmt.Println(r.Header.Get("Authorization"))
		return http.StatusOK, `{"items":[],"next_cursor":null}`
	})
	defer server.Close()
	token := func(context.Context) (string, error) { return "fresh", nil }

	client, err := versioner.New(server.URL, versioner.WithCredentialFunc(token))
	if err != nil {
		panic(err)
	}
	if _, err := client.ListProductsWithResponse(context.Background(), nil); err != nil {
		panic(err)
	}
	// Output: Bearer fresh
}

// The client waits as long as the server requests, and sends the same request again.
func ExampleWithRetries() {
	attempts := 0
	server := serve(func(*http.Request) (int, string) {
		if attempts++; attempts == 1 {
			return http.StatusServiceUnavailable, `{"detail":"Service temporarily unavailable"}`
		}
		return http.StatusOK, `{"status":"completed"}`
	})
	defer server.Close()
	client, err := versioner.New(server.URL, versioner.WithCredential("sk_demo_k1_secret"), versioner.WithRetries(versioner.Retries{}))
	if err != nil {
		panic(err)
	}

	answer, err := client.CreateDeploymentEventWithResponse(context.Background(), nil, versioner.DeploymentEvent{
		ProductName: "checkout", Version: "1.4.2", EnvironmentName: new("production"), Status: "completed",
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(answer.JSON200.Status, "at attempt", attempts)
	// Output: completed at attempt 2
}
