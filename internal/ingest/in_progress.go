package ingest

import "time"

// InProgress returns the position of the subject that is in progress: the newest unfinished started one, else the newest
// pending one, of those that are not stale; -1 if there is none. open is oldest first.
func InProgress(open []Subject, now time.Time) int {
	found := -1
	for i, subject := range open {
		if subject.Status.IsTerminal() || subject.IsStale(now) {
			continue
		}
		if found < 0 || subject.Status == Started || open[found].Status == Pending {
			found = i
		}
	}
	return found
}
