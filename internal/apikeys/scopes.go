package apikeys

// The scopes of API keys.
const (
	ScopeEvents        = "events"         // to report events
	ScopePreflight     = "preflight"      // to ask whether a deployment may start
	ScopeSkipPreflight = "skip_preflight" // to skip deployment rules
)
