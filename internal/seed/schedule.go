package seed

import (
	"math"
	"math/rand/v2"
	"time"
)

const day = 24 * time.Hour

// dice are the chances of one part of the history. Parts have dice of their own, so that a change of one leaves the others
// as they were.
type dice struct{ *rand.Rand }

func newDice(seed, part uint64) dice {
	return dice{rand.New(rand.NewPCG(seed, part))} //nolint:gosec // the same seed must give the same history
}

func (d dice) chance(probability float64) bool { return d.Float64() < probability }

// between is a span of time, to the millisecond; short ones are likelier.
func (d dice) between(low, high time.Duration) time.Duration {
	x := d.Float64()
	return (low + time.Duration(x*x*float64(high-low))).Truncate(time.Millisecond)
}

func pick[T any](d dice, all []T) T { return all[d.IntN(len(all))] }

// count is how often something happens that happens so many times on average (Poisson).
func (d dice) count(average float64) int {
	limit, product := math.Exp(-average), d.Float64()
	n := 0
	for product > limit {
		product *= d.Float64()
		n++
	}
	return n
}

// hex is a text of that many hexadecimal digits.
func (d dice) hex(digits int) string {
	text := make([]byte, digits)
	for i := range text {
		text[i] = "0123456789abcdef"[d.IntN(16)]
	}
	return string(text)
}

func midnight(at time.Time) time.Time { return at.Truncate(day) }

func isWeekend(at time.Time) bool {
	return at.Weekday() == time.Saturday || at.Weekday() == time.Sunday
}

// firstWorkingDay begins at midnight, UTC: that is where the company is.
func firstWorkingDay(at time.Time) time.Time {
	at = midnight(at.Add(day - 1))
	for isWeekend(at) {
		at = at.Add(day)
	}
	return at
}

// diligence is how much is done on a day, compared with a full one.
func diligence(at time.Time) float64 {
	switch at.Weekday() {
	case time.Saturday:
		return 0.06
	case time.Sunday:
		return 0.04
	case time.Friday:
		return 0.8
	default:
		return 1
	}
}

// moment is a time of that day at which people work: in the office hours, mostly, with a lunch break; sometimes in the
// evening, seldom at night.
func (d dice) moment(date time.Time) time.Time {
	hour := 0.0
	switch x := d.Float64(); {
	case x < 0.45:
		hour = 8 + 4.2*(d.Float64()+d.Float64())/2
	case x < 0.92:
		hour = 12.7 + 5.3*(d.Float64()+d.Float64())/2
	case x < 0.98:
		hour = 18 + 4*d.Float64()
	default:
		hour = 24 * d.Float64()
	}
	return midnight(date).Add(time.Duration(hour * float64(time.Hour))).Truncate(time.Millisecond)
}

// calm is a time of that day at which one deploys to production: early enough to look after it.
func (d dice) calm(date time.Time) time.Time {
	hour := 9 + 6.5*d.Float64()
	if date.Weekday() == time.Friday {
		hour = 9 + 3*d.Float64()
	}
	return midnight(date).Add(time.Duration(hour * float64(time.Hour))).Truncate(time.Millisecond)
}
