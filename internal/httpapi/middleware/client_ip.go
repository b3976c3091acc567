package middleware

import (
	"net"

	"github.com/labstack/echo/v4"
)

// ClientIPExtractor returns the address that a request comes from: the last one on its path that is no trusted proxy.
// Entries of X-Forwarded-For before that one can be forged; without trusted proxies the header is ignored.
func ClientIPExtractor(trustedProxies []*net.IPNet) echo.IPExtractor {
	if len(trustedProxies) == 0 {
		return echo.ExtractIPDirect()
	}
	trusted := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, network := range trustedProxies {
		trusted = append(trusted, echo.TrustIPRange(network))
	}
	return echo.ExtractIPFromXFFHeader(trusted...)
}
