// Package notify sends notifications of deployments and builds to channels: it manages channels and preferences, fans events out
// to deliveries, and runs the queue that makes their attempts and records the results.
package notify

import "time"

// attemptTimeout bounds one attempt, from the DNS look-up to the last byte of the response.
const attemptTimeout = 15 * time.Second
