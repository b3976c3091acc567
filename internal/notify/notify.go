// Package notify tells people and tools of deployments and builds: it works on the queue of deliveries that the events
// put there, tries until the receiver has them, and keeps what came of it (contract.md §9).
package notify

import "time"

// workers is how many deliveries one process works on at the same time. Most of them wait for somebody else's server.
const workers = 256

// attemptTimeout bounds one try, from the look-up of the name to the last byte of the answer.
const attemptTimeout = 15 * time.Second
