package httpapi

import "github.com/google/uuid"

// locationOf returns the path of a new object in its collection, for the header Location.
func locationOf(collection string, id uuid.UUID) string { return collection + id.String() }
