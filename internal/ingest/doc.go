// Package ingest turns events into deployments and builds.
package ingest
