package versioner

import (
	"errors"
	"iter"

	"github.com/oapi-codegen/nullable"
)

var errRepeatedCursor = errors.New("the cursor of the next page was used before")

// All iterates over a list of any length. It calls fetch for a page when the first object of the page is needed, with the cursor
// of the previous page (nil for the first one); fetch returns the page's items and its NextCursor. An error is the last value
// that All yields. Each iteration starts with the first page.
func All[T any](fetch func(cursor *string) ([]T, nullable.Nullable[string], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		seen := make(map[string]bool)
		for cursor := (*string)(nil); ; {
			items, following, err := fetch(cursor)
			if err != nil {
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			next, err := following.Get()
			if err != nil { // null: this is the last page
				return
			}
			if seen[next] {
				yield(none, errRepeatedCursor)
				return
			}
			seen[next] = true
			cursor = &next
		}
	}
}
