package requests

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestJoinNames(t *testing.T) {
	t.Parallel()
	numbers := make([]int, 200)
	for i := range numbers {
		numbers[i] = i
	}
	require.Empty(t, joinNames(numbers[:0], strconv.Itoa))
	require.Equal(t, "0, 1", joinNames(numbers[:2], strconv.Itoa))
	require.Equal(t, "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19", joinNames(numbers[:20], strconv.Itoa))
	require.Equal(t, "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19 and 180 more", joinNames(numbers, strconv.Itoa))
}
