package egress

import (
	"net/netip"
	"testing"
)

// FuzzAddresses: no address is public that is special in the standard library, nor one that embeds an IPv4 address which is not
// public.
func FuzzAddresses(f *testing.F) {
	for _, seed := range []string{"127.0.0.1", "8.8.8.8", "::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2606:4700:4700::1111"} {
		f.Add(netip.MustParseAddr(seed).AsSlice())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		addr, ok := netip.AddrFromSlice(raw)
		if !ok || !(Policy{}).allowsAddr(addr) {
			return
		}
		plain := addr.Unmap()
		if plain.IsPrivate() || plain.IsLoopback() || plain.IsMulticast() || plain.IsUnspecified() || plain.IsLinkLocalUnicast() || !plain.IsGlobalUnicast() {
			t.Fatalf("%s is treated as public", addr)
		}
		if plain.Is4() {
			inside := plain.As4()
			for _, prefix := range []string{"64:ff9b::", "::ffff:0:0:0", "::"} {
				wrapped := netip.MustParseAddr(prefix).As16()
				copy(wrapped[12:], inside[:])
				if hidden := netip.AddrFrom16(wrapped); !hidden.Is4In6() && (Policy{}).allowsAddr(hidden) {
					t.Fatalf("%s is treated as public", hidden)
				}
			}
		}
	})
}
