package versioner

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

var errCredential = errors.New("the credential contains invalid characters")

// WithCredential sends a credential with each request: an API key for events, a session token for everything else.
func WithCredential(credential string) ClientOption {
	return WithCredentialFunc(func(context.Context) (string, error) { return credential, nil })
}

// WithCredentialFunc calls a function for the credential before each call, such as one that refreshes a session token; with
// [WithRetries] before each attempt, and once more after a 401. Its error ends the call; "" sends the request without a
// credential.
func WithCredentialFunc(credential func(context.Context) (string, error)) ClientOption {
	return WithRequestEditorFn(func(ctx context.Context, request *http.Request) error {
		authorize := authorizer(func(request *http.Request) error {
			value, err := credential(ctx)
			if err != nil {
				return err
			}
			value = strings.TrimSpace(value)
			// The error of net/http for an invalid header contains the value, and errors are logged.
			if strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }) {
				return errCredential
			}
			request.Header.Del("Authorization")
			if value != "" {
				request.Header.Set("Authorization", "Bearer "+value)
			}
			return nil
		})
		//nolint:contextcheck // ctx, with what other editors may have put into it
		*request = *request.WithContext(context.WithValue(request.Context(), authorizerKey{}, authorize))
		return authorize(request)
	})
}

// authorizer sets the credential of a request. The request's context carries it, for the next attempt.
type authorizer func(*http.Request) error

type authorizerKey struct{}
