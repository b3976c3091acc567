// Package spectest compares a running server with the document that it serves. Its tests walk the operations of /openapi.json, so that
// a new operation is covered once it is described. They fail for an operation that needs facts that the document does not have: how to
// create the objects that its path identifies (fixture_test.go), how to provoke a conflict (statuses_test.go), what stays visible after
// a deletion (deleted_test.go).
//
// The directory examples sends the document's examples in one scenario, by themselves and with the code samples. Schemathesis generates
// requests from the schemas (`make test-schemathesis`). Other tests cover the tenant isolation of each operation (internal/httpapi),
// invalid tokens (internal/authn), and overload and rate limits (internal/httpapi, cmd/versionerd).
//
// internal/testapi checks every response against the document: status, content type, headers and body must be declared.
package spectest
