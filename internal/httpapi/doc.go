// Package httpapi serves the API over HTTP. This package and those below it are the only ones that import echo and the generated code.
//
// # Request lifecycle
//
// Every request passes the middleware of internal/httpapi/middleware in this order: request id, access log, panics, security headers,
// HEAD and slashes, CORS, CSRF. The router then finds the operation, and the request passes the middleware of that operation:
//
//  1. authenticate: the validator of the operation's security scheme (internal/authn) returns the principal;
//  2. rate limit: the request is charged to the quotas of the caller and its account;
//  3. authorize: the role of a user has the permission of the operation (internal/authz);
//  4. parameters, and the body, whose bytes are charged to a budget, are validated against the specification
//     (internal/httpapi/validation);
//  5. lists whose operation has If-None-Match: the body is shared with other requests of the account (internal/bodycache).
//
// The generated strict handler binds the request and calls the handler of the operation, which has three parts: who (the principal), what
// (one query, or one call of a domain package) and reply (a pure toAPI function). Handlers return Go errors; errors.go is the one
// place that turns an error into a status.
//
// Nothing here limits concurrency: the pool of the user API does, fairly across accounts (postgres.OpenAPI). While a body is read or
// an answer is sent, a request holds no connection.
//
// # Adding an operation
//
// CONTRIBUTING.md has the steps; the handler of a tag is in the file of that name.
//
// # Why am I getting a compile error here?
//
// "api does not implement apigen.StrictServerInterface (missing method …)": the specification has an operation without a handler. Add
// the method to the struct of its tag; a new tag gets a file and a struct of its own, embedded in api.
//
// "*authn.APIKeys does not implement apigen.SecurityHandler (missing method …)": the specification has a security scheme without a
// validator. Write it in internal/authn: the program must not build without it.
//
// "unknown field … in struct literal of type apigen.…": the specification has renamed or removed a field. Follow it.
//
// # What a handler may rely on
//
// The request is valid: required fields are present, strings have their lengths and formats, times can be parsed. A rule that the
// specification cannot express belongs to the domain packages, which return an *apperr.Error.
package httpapi
