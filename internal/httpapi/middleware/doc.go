// Package middleware holds what every request passes before and after its handler, one concern in each file: the request's
// id, the access log, panics, security headers, HEAD and slashes, CORS and CSRF, authentication, rate limits.
package middleware
