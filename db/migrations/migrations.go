// Package migrations holds the schema as goose migrations, embedded in the program.
package migrations

import "embed"

// FS holds every migration, in the order of their numbers.
//
//go:embed *.sql
var FS embed.FS
