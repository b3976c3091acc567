package app

import "sync"

// Abort holds what must run when the program exits without an orderly shutdown: stopping the embedded PostgreSQL, which would
// otherwise outlive the program.
type Abort struct {
	mu   sync.Mutex
	kill func()
	done bool
}

// Set replaces the function that Run calls. It calls the function immediately if Run was called before.
func (a *Abort) Set(kill func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kill = kill
	if a.done {
		kill()
	}
}

// Run calls the function once.
func (a *Abort) Run() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kill != nil && !a.done {
		a.kill()
	}
	a.done = true
}
