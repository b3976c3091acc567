// Package versioner is the Go client of Versioner: what runs where, since when, and who put it there. ClientWithResponses has
// a method for each operation; WithCredential says who asks.
package versioner

import (
	"context"
	"net/http"
)

// WithCredential sends a credential with each request: an API key for events, a session token for everything else.
func WithCredential(credential string) ClientOption {
	return WithRequestEditorFn(func(_ context.Context, request *http.Request) error {
		request.Header.Set("Authorization", "Bearer "+credential)
		return nil
	})
}
