package ingest

import "strings"

// StatusSet is a set of statuses.
type StatusSet uint8

//nolint:gochecknoglobals // a constant table
var setOrder = []Status{Pending, Started, Completed, Failed, Aborted}

// With returns the set with the status in it.
func (s StatusSet) With(status Status) StatusSet {
	for i, one := range setOrder {
		if one == status {
			s |= 1 << i
		}
	}
	return s
}

// Has reports whether the status is in the set.
func (s StatusSet) Has(status Status) bool { return s != 0 && s.With(status) == s }

// String returns the statuses, separated by commas.
func (s StatusSet) String() string {
	words := make([]string, 0, len(setOrder))
	for i, one := range setOrder {
		if s&(1<<i) != 0 {
			words = append(words, string(one))
		}
	}
	return strings.Join(words, ",")
}

func newStatusSet(words []string) StatusSet {
	var set StatusSet
	for _, word := range words {
		set = set.With(Status(word))
	}
	return set
}
