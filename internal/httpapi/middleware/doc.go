// Package middleware holds what requests pass before and after their handler, one concern in each file. doc.go of internal/httpapi
// describes the order.
package middleware
