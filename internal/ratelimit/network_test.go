package ratelimit_test

import (
	"strings"
	"testing"

	"github.com/versioner-io/versioner/internal/ratelimit"
)

// FuzzClientNetwork checks that every address has one network, and that all addresses of a /64 have the same.
func FuzzClientNetwork(f *testing.F) {
	for _, seed := range []string{"203.0.113.7", "2001:db8::1", "::ffff:203.0.113.7", "fe80::1%eth0", "", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		network := ratelimit.ClientNetwork(address)
		if again := ratelimit.ClientNetwork(strings.TrimSuffix(network, "/64")); again != network && strings.Contains(network, "/64") {
			t.Fatalf("%q is in %q, which is in %q", address, network, again)
		}
	})
}
