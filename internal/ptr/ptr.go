// Package ptr converts between optional values and pointers.
package ptr

// NonZero returns a pointer to value, or nil for the zero value.
func NonZero[T comparable](value T) *T {
	var zero T
	if value == zero {
		return nil
	}
	return &value
}

// Or returns the value at p, or fallback for nil.
func Or[T any](p *T, fallback T) T {
	if p == nil {
		return fallback
	}
	return *p
}

// OrZero returns the value at p, or the zero value for nil.
func OrZero[T any](p *T) T {
	var zero T
	return Or(p, zero)
}
