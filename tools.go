//go:build tools

// Package tools pins the generators that `make generate` runs.
package tools

import (
	_ "github.com/mikefarah/yq/v4"
	_ "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen"
	_ "github.com/sqlc-dev/sqlc/cmd/sqlc"
)
