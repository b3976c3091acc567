package egress

import "net"

// SetResolver has the client ask another resolver.
func SetResolver(c *Client, resolver *net.Resolver) { c.resolver = resolver }
