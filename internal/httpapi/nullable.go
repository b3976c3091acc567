package httpapi

import (
	"time"

	"github.com/oapi-codegen/nullable"
)

// fromNullable takes null and absence for the same: nothing.
func fromNullable[T any](value nullable.Nullable[T]) *T {
	if inner, err := value.Get(); err == nil {
		return &inner
	}
	return nil
}

func toNullable[T any](value *T) nullable.Nullable[T] {
	if value == nil {
		return nullable.NewNullNullable[T]()
	}
	return nullable.NewNullableWithValue(*value)
}

func toNullableTime(value *time.Time) nullable.Nullable[time.Time] {
	if value == nil {
		return nullable.NewNullNullable[time.Time]()
	}
	return nullable.NewNullableWithValue(value.UTC())
}

func toNullableInt(value *int32) nullable.Nullable[int] {
	if value == nil {
		return nullable.NewNullNullable[int]()
	}
	return nullable.NewNullableWithValue(int(*value))
}

func firstNonNil[T any](values ...*T) *T {
	for _, value := range values {
		if value != nil {
			return value
		}
	}
	return nil
}
