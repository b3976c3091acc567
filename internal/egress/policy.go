package egress

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"code.dny.dev/ssrf"
)

// Policy lists networks and hosts that are allowed although they are not public.
type Policy struct {
	cidrs []netip.Prefix
	hosts []string
}

// ParsePolicy parses networks such as 10.1.0.0/16, and hosts such as hooks.corp.example or, for all hosts of a domain,
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
			problems = append(problems, fmt.Errorf("VERSIONER_WEBHOOK_ALLOW_HOSTS %q: use a name such as hooks.corp.example, or .corp.example for all hosts of that domain", text))
			continue
		}
		policy.hosts = append(policy.hosts, host)
	}
	return policy, errors.Join(problems...)
}

// check returns a ForbiddenError for a canonical host, or a literal address, and a port that the policy forbids.
func (p Policy) check(host string, literal netip.Addr, port string) error {
	switch {
	case p.allowsHost(host) || literal.IsValid() && p.isAllowlisted(literal):
		return nil
	case literal.IsValid() && !p.allowsAddr(literal):
		return errForbiddenAddress
	case !literal.IsValid() && isPrivateHostname(host):
		return &ForbiddenError{Reason: "the name is not public"}
	case !isAllowedPort(port):
		return &ForbiddenError{Reason: "the port " + port + " is not allowed for webhooks: use 80, 443, or one from 1024 that no other protocol uses"}
	}
	return nil
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
	return addr.Zone() == "" && (isPublic(addr.Unmap()) || p.isAllowlisted(addr))
}

func (p Policy) isAllowlisted(addr netip.Addr) bool {
	for _, prefix := range p.cidrs {
		if prefix.Contains(addr.Unmap()) {
			return true
		}
	}
	return false
}

// azureHost is the virtual public address at which Azure's platform serves each of its machines.
//
//nolint:gochecknoglobals // a constant
var azureHost = netip.MustParseAddr("168.63.129.16")

// isPublic reports whether an address is globally reachable by the IANA special-purpose address registries. Of IPv6 only global
// unicast is: other ranges are private, local, or translate to IPv4 (NAT64).
func isPublic(addr netip.Addr) bool {
	if !addr.IsValid() || addr == azureHost || addr.Is6() && !ssrf.IPv6GlobalUnicast.Contains(addr) {
		return false
	}
	isDenied := func(prefix netip.Prefix) bool { return prefix.Contains(addr) }
	return !slices.ContainsFunc(ssrf.IPv4DeniedPrefixes, isDenied) && !slices.ContainsFunc(ssrf.IPv6DeniedPrefixes, isDenied)
}
