package authn

import "time"

// IsCaching reports whether keys are served from the cache.
func (k *APIKeys) IsCaching() bool {
	k.cache.mu.RLock()
	defer k.cache.mu.RUnlock()
	return time.Now().Before(k.cache.validUntil)
}
