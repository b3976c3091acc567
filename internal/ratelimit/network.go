package ratelimit

import "net/netip"

// ClientNetwork returns what one client controls, as a subject: an IPv4 address, or the /64 of an IPv6 address.
func ClientNetwork(address string) string {
	parsed, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if parsed = parsed.Unmap().WithZone(""); parsed.Is4() {
		return parsed.String()
	}
	return netip.PrefixFrom(parsed, 64).Masked().String()
}
