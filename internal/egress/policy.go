package egress

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Policy is what may be called although it is not public.
type Policy struct {
	cidrs []netip.Prefix
	hosts []string
}

// ParsePolicy reads networks such as 10.1.0.0/16, and hosts such as hooks.corp.example or, with those below it,
// .corp.example. It reports all problems together.
func ParsePolicy(cidrs, hosts []string) (Policy, error) {
	var policy Policy
	var problems []error
	for _, text := range cidrs {
		prefix, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			problems = append(problems, fmt.Errorf("VERSIONER_WEBHOOK_ALLOW_CIDRS %q: use a network such as 10.1.0.0/16 or fd12::/32", text))
			continue
		}
		policy.cidrs = append(policy.cidrs, prefix.Masked())
	}
	for _, text := range hosts {
		host := strings.ToLower(strings.TrimSuffix(strings.TrimSpace(text), "."))
		if strings.Trim(host, ".") == "" || strings.ContainsAny(host, "/:@* \t") {
			problems = append(problems, fmt.Errorf("VERSIONER_WEBHOOK_ALLOW_HOSTS %q: use a name such as hooks.corp.example, or .corp.example for all below it", text))
			continue
		}
		policy.hosts = append(policy.hosts, host)
	}
	return policy, errors.Join(problems...)
}

func (p Policy) allowsHost(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, allowed := range p.hosts {
		if host == allowed || strings.HasPrefix(allowed, ".") && strings.HasSuffix(host, allowed) {
			return true
		}
	}
	return false
}

func (p Policy) allowsAddr(addr netip.Addr) bool {
	return addr.Zone() == "" && (isPublic(addr.Unmap()) || p.lists(addr))
}

func (p Policy) lists(addr netip.Addr) bool {
	for _, prefix := range p.cidrs {
		if prefix.Contains(addr.Unmap()) {
			return true
		}
	}
	return false
}

// special are the networks of the IANA special-purpose address registries that are not globally reachable, and addresses
// at which clouds answer the machines that they run.
//
//nolint:gochecknoglobals // a constant table
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"168.63.129.16/32",                                     // Azure
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", // Teredo and others, documentation, 6to4
)

//nolint:gochecknoglobals // a constant
var globalUnicast = netip.MustParsePrefix("2000::/3")

func prefixes(texts ...string) []netip.Prefix {
	var parsed []netip.Prefix
	for _, text := range texts {
		parsed = append(parsed, netip.MustParsePrefix(text))
	}
	return parsed
}

// isPublic knows one range of IPv6 that is: the others are private, local, or translate to IPv4 (NAT64).
func isPublic(addr netip.Addr) bool {
	if !addr.IsValid() || addr.Is6() && !globalUnicast.Contains(addr) {
		return false
	}
	for _, prefix := range special {
		if prefix.Contains(addr) {
			return false
		}
	}
	return true
}
