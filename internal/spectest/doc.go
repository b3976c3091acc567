// Package spectest compares a running server with the document that it serves. Its tests walk over the operations of
// /openapi.json and derive from the schemas what to send: a new operation is covered by being described, or fails here until
// somebody says what cannot be read from the document (world_test.go: how to make the objects that its identifiers name, and
// the rules that only its prose tells).
//
//   - valid_test.go sends what the schemas allow: each member and parameter present and absent, at every bound; echo_test.go
//     compares what was sent with what is answered, and with what is read later.
//   - invalid_test.go breaks one rule at a time: the answer names the place, and nothing was written.
//   - credentials_test.go and roles_test.go try who may call what.
//   - methods_test.go tries what a path does not declare, addresses_test.go other spellings of it.
//   - statuses_test.go wants the declared statuses to be those that can be, and provokes those that the others do not.
//   - preconditions_test.go tries If-Match, Idempotency-Key and cursors wherever they are declared.
//   - deleted_test.go deletes everything that can be, and looks for it.
//
// Every answer to all of them is checked by internal/testapi: status, content type, headers and body must be declared. What
// is generated is the same in every run; VERSIONER_TEST_SEED makes another run of it.
//
// Walked elsewhere: identifiers of other accounts and members that are the server's own to set, in internal/httpapi
// (TestTenantsAndOperations, TestMassAssignment); forms of bodies that are not JSON as we mean it, in its TestBadBodies; forged
// and malformed tokens in all variety, in internal/authn; overload and rate limits, in internal/httpapi and cmd/versionerd.
package spectest
