package versioner

import (
	"errors"
	"io"
	"net/http"
)

// longestError is the number of bytes that are read of an answer that is no success.
const longestError = 1 << 20

// New returns a client whose methods return an *[APIError] for every answer that is no success, so that the member of the declared
// success, such as JSON200, is set whenever the error is nil. [NewClientWithResponses] returns one whose methods leave the check to the
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
	inner.Client = checking{next: inner.Client} // after all options: retries need the answers
	return client, nil
}

// checking returns answers that are no success as errors.
type checking struct{ next HttpRequestDoer }

func (c checking) Do(request *http.Request) (*http.Response, error) {
	response, err := c.next.Do(request)
	if err != nil || ErrorOf(response, nil) == nil {
		return response, err
	}
	body, readErr := io.ReadAll(io.LimitReader(response.Body, longestError))
	return nil, errors.Join(ErrorOf(response, body), readErr, response.Body.Close())
}
