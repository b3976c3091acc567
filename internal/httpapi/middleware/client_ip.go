package middleware

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// ClientIPExtractor returns the address that a request comes from: the last one on its path that is no trusted proxy.
// Entries of X-Forwarded-For before that one can be forged; without trusted proxies the header is ignored. An entry may have
// a port, which some load balancers add. At an entry that is no address the path is unknown: the address is then the peer's.
func ClientIPExtractor(trustedProxies []*net.IPNet) echo.IPExtractor {
	return func(r *http.Request) string {
		peer := remoteIP(r)
		if !isTrusted(peer, trustedProxies) {
			return peer.String()
		}
		entries := strings.Split(strings.Join(r.Header.Values(echo.HeaderXForwardedFor), ","), ",")
		client := peer
		for _, entry := range slices.Backward(entries) {
			address, ok := parseForwarded(entry)
			if !ok {
				return peer.String()
			}
			if client = address; !isTrusted(address, trustedProxies) {
				break
			}
		}
		return client.String()
	}
}

// parseForwarded parses an address with or without brackets and port.
func parseForwarded(entry string) (netip.Addr, bool) {
	entry = strings.TrimSpace(entry)
	if withPort, err := netip.ParseAddrPort(entry); err == nil {
		return withPort.Addr().Unmap(), true
	}
	address, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(entry, "["), "]"))
	return address.Unmap(), err == nil
}

// remoteIP returns the address of the connection's other end.
func remoteIP(r *http.Request) netip.Addr {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr) // net/http sets it
	return peer.Addr().Unmap()
}

func isTrusted(address netip.Addr, networks []*net.IPNet) bool {
	return slices.ContainsFunc(networks, func(network *net.IPNet) bool { return network.Contains(address.AsSlice()) })
}
