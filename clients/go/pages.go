package versioner

import (
	"errors"
	"iter"

	"github.com/oapi-codegen/nullable"
)

var errCircle = errors.New("the next page is one that has been read")

// All iterates over a list, whatever its length: it asks for a page when its first object is needed, with the cursor of the
// page before (nil at first), and is answered with the page's items and its NextCursor. An error is the last thing it
// yields. Each iteration begins anew.
func All[T any](ask func(cursor *string) ([]T, nullable.Nullable[string], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		seen := make(map[string]bool)
		for cursor := (*string)(nil); ; {
			items, following, err := ask(cursor)
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
			if err != nil { // null, which is the last page's
				return
			}
			if seen[next] {
				yield(none, errCircle)
				return
			}
			seen[next] = true
			cursor = &next
		}
	}
}
