package versioner

import (
	"errors"
	"io"
	"net/http"
)

// longestError bounds how much of an answer that is no success is read.
const longestError = 1 << 20

// New returns a client whose methods return an *[APIError] for every answer that is no success, so that the member of the declared
// success, such as JSON200, is set whenever the error is nil. [NewClientWithResponses] returns one whose methods leave that to the
// caller, see [ErrorOf].
func New(server string, options ...ClientOption) (*ClientWithResponses, error) {
	client, err := NewClientWithResponses(server, options...)
	if err != nil {
		return nil, err
	}
	inner, ok := client.ClientInterface.(*Client)
	if !ok {
		return nil, errors.New("an option has replaced the client")
	}
	inner.Client = checking{next: inner.Client} // after all options: retries see the answers
	return client, nil
}

// checking makes errors of answers that are no success.
type checking struct{ next HttpRequestDoer }

func (c checking) Do(request *http.Request) (*http.Response, error) {
	response, err := c.next.Do(request)
	if err != nil || ErrorOf(response, nil) == nil {
		return response, err
	}
	body, readErr := io.ReadAll(io.LimitReader(response.Body, longestError))
	return nil, errors.Join(ErrorOf(response, body), readErr, response.Body.Close())
}
