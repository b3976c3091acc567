package calendar

import "time"

// resolver converts local times of a zone into instants.
type resolver struct {
	zone *time.Location
	// start and end are those of a time with the same offset, less two days at each side: there, local times are unambiguous.
	start, end time.Time
	offset     time.Duration
}

// maxOffset is more than any offset from UTC.
const maxOffset = 16 * time.Hour

// resolve returns the instant of a local time, which is labelled UTC, by RFC 5545 §3.3.5: of a time that occurs twice the first, and
// a time in a gap has the offset before the gap. time.Date decides neither.
func (r *resolver) resolve(local time.Time) time.Time {
	if at := local.Add(-r.offset); at.After(r.start) && at.Before(r.end) {
		return at
	}
	var before time.Duration // the offset of the period before
	for at := local.Add(-maxOffset).In(r.zone); ; {
		_, seconds := at.Zone()
		offset := time.Duration(seconds) * time.Second
		start, end := at.ZoneBounds()
		instant := local.Add(-offset)
		switch {
		case !end.IsZero() && !instant.Before(end):
			before, at = offset, end
		case instant.Before(start):
			return local.Add(-before)
		default:
			r.remember(start, end, offset)
			return instant
		}
	}
}

func (r *resolver) remember(start, end time.Time, offset time.Duration) {
	r.start, r.end, r.offset = start.Add(2*day), end.Add(-2*day), offset
	if end.IsZero() {
		r.end = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
}
