// Package httpapi serves the API over HTTP. It is the only package that knows echo and the generated code.
//
// # The way of a request
//
// middleware.go names it, logs it, catches its panics and straightens its slashes; echo finds the operation; then, for
// that operation alone: security.go asks the validator of its security scheme who calls, limits.go whether they may send
// so much, permission.go whether they may do that; params.go checks the parameters and validate.go the body, which it reads
// leniently where events are taken, against the specification; a person's request is given time (patience.go) and a place to
// be worked on (shed.go), before all that if its credential is known (guests.go) and it has no body; the generated strict
// handler binds it, and a handler of ours (a file for each tag) says who, what, and reply. Errors come back as Go errors and
// become an answer in errors.go; nothing else knows a status.
//
// # Adding an operation
//
// Write it in openapi.yaml first, run `make generate`, and follow the compiler. CONTRIBUTING.md has the nine steps.
//
// # Why am I getting a compile error here?
//
// "api does not implement apigen.StrictServerInterface (missing method …)": the document has an operation that no handler
// implements. Add the method to the struct of its tag; a new tag gets a file and a struct of its own, embedded in api.
//
// "*authn.APIKeys does not implement apigen.SecurityHandler (missing method …)": the document has a security scheme that
// nothing verifies. Write its validator in internal/authn; until then the program does not build, which is the point.
//
// "unknown field … in struct literal of type apigen.…": the document has renamed or dropped a field. Follow it.
//
// # What is checked where
//
// A handler for people may be run again after the database was away: it writes in transactions alone, and does nothing else
// that could not be done twice.
//
// A handler may rely on its request being valid: required fields are there, texts have their lengths and forms, times can
// be parsed. What the specification cannot say, the domain checks (internal/ingest), and returns an *apperr.Error.
package httpapi
