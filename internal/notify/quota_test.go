package notify

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestGrantOf(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		used          int64
		amount, limit int
		want          grant
	}{
		"Below":              {5, 5, 10, grant{allowed: 5, limit: 10}},
		"Exactly":            {10, 5, 10, grant{allowed: 5, limit: 10}},
		"PartlyAbove":        {12, 5, 10, grant{allowed: 3, limit: 10, isFirst: true}},
		"FirstAbove":         {11, 1, 10, grant{limit: 10, isFirst: true}},
		"SecondAbove":        {12, 1, 10, grant{limit: 10}},
		"WholeAmountAbove":   {50, 20, 10, grant{limit: 10}},
		"FirstIsTheWholeDay": {20, 20, 10, grant{allowed: 10, limit: 10, isFirst: true}},
		"NoLimit":            {1e9, 5, 0, grant{allowed: 5}},
	} {
		require.Equal(t, test.want, grantOf(test.used, test.amount, test.limit), name)
	}
}

func TestDayOf(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 28, 23, 30, 0, 0, time.FixedZone("west", -3600))
	require.Equal(t, time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC), dayOf(at))
	require.Equal(t, 23*time.Hour+30*time.Minute, untilNextDay(at))
}
