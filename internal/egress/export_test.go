package egress

import "net"

// SetResolver replaces the client's resolver.
func SetResolver(c *Client, resolver *net.Resolver) { c.resolver = resolver }
