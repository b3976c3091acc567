package samples_test

import (
	"testing"
)

// TestExamples tells the story of the examples: each is sent to a server, and each answer is what its example shows.
func TestExamples(t *testing.T) {
	t.Parallel()
	story := newStory(t)
	for _, now := range steps() {
		story.tell(t, now, func() { story.request(t, now) })
	}
}
