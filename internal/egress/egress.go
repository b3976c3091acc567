// Package egress is an SSRF-safe HTTP client for addresses that tenants configure: it connects to public addresses alone, checked
// when dialling, so that no DNS name, redirect or spelling of an address reaches the server's own network.
package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/idna"
)

const (
	maxURL           = 2048     // characters
	maxHeader        = 32 << 10 // bytes of a response's header
	maxResponseBytes = 64 << 10 // that are read of a body, and discarded
	drainTimeout     = 500 * time.Millisecond
	lookUpTimeout    = 3 * time.Second
	connectTimeout   = 5 * time.Second
	handshakeTimeout = 5 * time.Second
	idleTimeout      = time.Minute
	idlePerHost      = 4
	idleConns        = 256
)

// ForbiddenError reports an address that the policy forbids. The reason may be shown to callers.
type ForbiddenError struct{ Reason string }

// Error returns the reason.
func (e *ForbiddenError) Error() string { return e.Reason }

// InvalidError reports a URL that cannot be called. The reason may be shown to callers.
type InvalidError struct{ Reason string }

// Error returns the reason.
func (e *InvalidError) Error() string { return e.Reason }

// Client sends requests.
type Client struct {
	policy   Policy
	resolver *net.Resolver
	http     *http.Client
}

// New returns a client for public addresses and those that the policy allows.
func New(policy Policy) *Client {
	c := &Client{policy: policy, resolver: net.DefaultResolver}
	c.http = &http.Client{
		Transport: &http.Transport{
			DialContext: c.dial, Proxy: nil, ForceAttemptHTTP2: true, DisableCompression: true,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, TLSHandshakeTimeout: handshakeTimeout, MaxResponseHeaderBytes: maxHeader,
			MaxIdleConns: idleConns, MaxIdleConnsPerHost: idlePerHost, IdleConnTimeout: idleTimeout,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// Response is a response without its body.
type Response struct {
	Status int
	Header http.Header
}

// Do sends a request. Redirects are not followed. The request's context bounds how long it takes.
func (c *Client) Do(request *http.Request) (Response, error) {
	if _, err := c.parse(request.URL.String()); err != nil {
		return Response{}, err
	}
	ctx, cancel := context.WithCancel(request.Context())
	defer cancel()
	response, err := c.http.Do(request.WithContext(ctx)) //nolint:gosec // dial restricts the addresses
	if err != nil {
		return Response{}, err //nolint:wrapcheck // Classify maps it; it may contain the address
	}
	defer func() { _ = response.Body.Close() }()
	// The rest of the body is read only so that the connection can be reused.
	timer := time.AfterFunc(drainTimeout, cancel)
	defer timer.Stop()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxResponseBytes))
	return Response{Status: response.StatusCode, Header: response.Header}, nil
}

// dial connects to allowed addresses alone, whatever the name resolved to before.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &InvalidError{Reason: "not a host and a port"}
	}
	dialer := &net.Dialer{Timeout: connectTimeout, Resolver: c.resolver}
	if !c.policy.allowsHost(host) {
		dialer.ControlContext = func(_ context.Context, _, dialled string, _ syscall.RawConn) error {
			target, err := netip.ParseAddrPort(dialled)
			if err != nil || !c.policy.allowsAddr(target.Addr()) {
				return errForbiddenAddress
			}
			return nil
		}
	}
	return dialer.DialContext(ctx, network, address) //nolint:wrapcheck // Classify maps it
}

var errForbiddenAddress = &ForbiddenError{Reason: "the address is not public: it belongs to a private or special network"}

// CheckURL parses a URL that is to be called later, and rejects it if the call would be rejected. A name that cannot be resolved
// is accepted: it may exist later.
func (c *Client) CheckURL(ctx context.Context, text string) (*url.URL, error) {
	address, err := c.parse(text)
	if err != nil {
		return nil, err
	}
	if c.policy.allowsHost(address.Hostname()) {
		return address, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookUpTimeout)
	defer cancel()
	resolved, _ := c.resolver.LookupNetIP(ctx, "ip", address.Hostname())
	for _, one := range resolved {
		if !c.policy.allowsAddr(one) {
			return nil, &ForbiddenError{Reason: "the name resolves to an address that is not public"}
		}
	}
	return address, nil
}

// parse makes all checks that need no DNS look-up. It returns the URL with the host in canonical form.
func (c *Client) parse(text string) (*url.URL, error) {
	if len(text) > maxURL {
		return nil, &InvalidError{Reason: fmt.Sprintf("longer than %d characters", maxURL)}
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f || r == 0xfffd }) {
		return nil, &InvalidError{Reason: "a URL must not contain white space, control characters or backslashes"}
	}
	address, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, &InvalidError{Reason: "not a URL"}
	case address.Scheme != "https" && address.Scheme != "http":
		return nil, &InvalidError{Reason: "use a URL that begins with https:// or http://"}
	case address.Opaque != "" || address.Host == "":
		return nil, &InvalidError{Reason: "the URL has no host"}
	case address.User != nil:
		return nil, &InvalidError{Reason: "the URL must not contain a user or a password"}
	case address.Fragment != "":
		return nil, &InvalidError{Reason: "the URL must not contain a fragment (#…)"}
	}
	host, literal, err := canonicalHost(address.Hostname())
	if err != nil {
		return nil, err
	}
	port := address.Port()
	if strings.HasSuffix(address.Host, ":") {
		return nil, &InvalidError{Reason: "the port is missing after the colon"}
	}
	address.Host = host
	if literal.Is6() {
		address.Host = "[" + host + "]"
	}
	if port != "" {
		address.Host = net.JoinHostPort(host, port)
	}
	return address, c.policy.check(host, literal, port)
}

// canonicalHost parses a host as a resolver does, and rejects the notations of addresses that only some resolvers accept: decimal,
// octal, hexadecimal, shortened.
func canonicalHost(text string) (host string, literal netip.Addr, err error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		if addr.Zone() != "" {
			return "", netip.Addr{}, errForbiddenAddress
		}
		return addr.Unmap().String(), addr.Unmap(), nil
	}
	host, err = idna.Lookup.ToASCII(text)
	if err != nil {
		return "", netip.Addr{}, &InvalidError{Reason: "the host is not a valid name"}
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if addr, err := netip.ParseAddr(host); err == nil { // in digits of another script
		return addr.Unmap().String(), addr.Unmap(), nil
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	if slices.Contains(strings.Split(host, "."), "") {
		return "", netip.Addr{}, &InvalidError{Reason: "the host is not a valid name"}
	}
	if _, err := strconv.ParseUint(last, 0, 64); err == nil || strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") {
		return "", netip.Addr{}, &ForbiddenError{Reason: "write the address as four decimal numbers"}
	}
	return host, netip.Addr{}, nil
}

// isPrivateHostname reports whether a name is only meaningful within a private network.
func isPrivateHostname(host string) bool {
	if !strings.Contains(host, ".") {
		return true
	}
	return slices.ContainsFunc([]string{".localhost", ".local", ".internal", ".intranet", ".lan", ".home.arpa", ".localdomain", ".onion"},
		func(suffix string) bool { return strings.HasSuffix(host, suffix) })
}

// isAllowedPort reports whether a webhook may use the port. Ports of other protocols are reserved: such a server could interpret a
// request as commands.
func isAllowedPort(text string) bool {
	if text == "" {
		return true
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || strconv.FormatUint(port, 10) != text {
		return false
	}
	reservedPorts := []uint64{
		1080, 1433, 1434, 1521, 1723, 1883, 2049, 2181, 2375, 2376, 2379, 2380, 3128, 3306, 3389, 3690, 4190, 4222, 5060, 5061, 5222, 5432, 5433,
		5671, 5672, 5900, 5984, 5985, 5986, 6000, 6379, 6380, 6443, 6566, 6665, 6666, 6667, 6668, 6669, 6697, 7000, 7001, 8125, 8300, 8301, 8500, 8600,
		9042, 9092, 9093, 9160, 9200, 9300, 10080, 10250, 10255, 11211, 15672, 26257, 27017, 27018, 27019, 50000, 61613, 61616,
	}
	return port == 80 || port == 443 || port >= 1024 && !slices.Contains(reservedPorts, port)
}

// Classify returns a stable code for an error.
func Classify(err error) string {
	if _, forbidden := errors.AsType[*ForbiddenError](err); forbidden {
		return "forbidden_address"
	}
	if _, invalid := errors.AsType[*InvalidError](err); invalid {
		return "invalid_address"
	}
	if _, dns := errors.AsType[*net.DNSError](err); dns {
		return "dns"
	}
	if isTLS(err) {
		return "tls"
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return "timeout"
	}
	return "connection"
}

func isTLS(err error) bool {
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	_, hostname := errors.AsType[x509.HostnameError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	return record || alert || verification || hostname || authority || strings.Contains(err.Error(), "tls: ")
}
