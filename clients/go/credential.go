package versioner

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

var errCredential = errors.New("the credential holds characters that no credential has")

// WithCredential sends a credential with each request: an API key for events, a session token for everything else.
func WithCredential(credential string) ClientOption {
	return WithCredentialFunc(func(context.Context) (string, error) { return credential, nil })
}

// WithCredentialFunc asks a function for the credential before each call, such as one that keeps a session token fresh; with
// [WithRetries] before each try, and once more after a 401. Its error ends the call; with "" the request goes without a
// credential.
func WithCredentialFunc(credential func(context.Context) (string, error)) ClientOption {
	return WithRequestEditorFn(func(ctx context.Context, request *http.Request) error {
		authorize := authorizer(func(request *http.Request) error {
			value, err := credential(ctx)
			if err != nil {
				return err
			}
			value = strings.TrimSpace(value)
			// What net/http says of a wrong value has the value in it, and errors are written to logs.
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

// authorizer gives a request its credential. A request carries it in its context, for the next try.
type authorizer func(*http.Request) error

type authorizerKey struct{}
