package main

import (
	"context"
	"errors"
)

// emptyServer is the argument that makes the program serve the empty handler.
const emptyServer = "empty-server"

// errNoEmptyServer is the reason why the phase is skipped.
var errNoEmptyServer = errors.New("httpapi.New does not accept a recorder that records nothing")

// emptyServerError is nil when serveEmpty works.
func emptyServerError() error { return errNoEmptyServer }

// serveEmpty serves the API on VERSIONER_ADDR with a recorder that records nothing, until ctx ends: authentication, rate limits and
// validation are the real ones, on the database of DATABASE_URL.
func serveEmpty(context.Context) error { return errNoEmptyServer }
