// Package egress sends the requests that tenants ask for, and only to where they may go: public addresses, checked at the
// moment of dialling, so that no name, redirect or spelling leads into the network that the server stands in.
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
	maxHeader        = 32 << 10 // bytes of an answer's header
	maxAnswer        = 64 << 10 // bytes that are read of an answer, and forgotten
	drainTimeout     = 500 * time.Millisecond
	lookUpTimeout    = 3 * time.Second
	connectTimeout   = 5 * time.Second
	handshakeTimeout = 5 * time.Second
	idleTimeout      = time.Minute
	idlePerHost      = 4
	idleConns        = 256
)

// ForbiddenError says why an address may not be called. The reason may be shown to anybody.
type ForbiddenError struct{ Reason string }

// Error returns the reason.
func (e *ForbiddenError) Error() string { return e.Reason }

// InvalidError says why a URL is none that can be called. The reason may be shown to anybody.
type InvalidError struct{ Reason string }

// Error returns the reason.
func (e *InvalidError) Error() string { return e.Reason }

// Client sends requests.
type Client struct {
	policy   Policy
	resolver *net.Resolver
	http     *http.Client
}

// New returns a client that calls public addresses and what the policy allows beside them.
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

// Response is what there is to know of an answer. Its body is not kept.
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
	response, err := c.http.Do(request.WithContext(ctx)) //nolint:gosec // what keeps it in its place is this package
	if err != nil {
		return Response{}, err //nolint:wrapcheck // Classify says what it means; it may hold the address
	}
	defer func() { _ = response.Body.Close() }()
	// The answer has come: what is left is only read so that the connection can be used again.
	timer := time.AfterFunc(drainTimeout, cancel)
	defer timer.Stop()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer))
	return Response{Status: response.StatusCode, Header: response.Header}, nil
}

// dial connects to a public address, whatever the name resolved to before.
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
	return dialer.DialContext(ctx, network, address) //nolint:wrapcheck // Classify says what it means
}

var errForbiddenAddress = &ForbiddenError{Reason: "the address is not public: it belongs to a private or special network"}

// CheckURL parses a URL that shall be called later, and refuses what would be refused then. A name that cannot be resolved
// now may be later.
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
			return nil, &ForbiddenError{Reason: "the name leads to an address that is not public"}
		}
	}
	return address, nil
}

// parse says all that can be said without asking anybody. The host of what it returns is in its one canonical spelling.
func (c *Client) parse(text string) (*url.URL, error) {
	if len(text) > maxURL {
		return nil, &InvalidError{Reason: fmt.Sprintf("longer than %d characters", maxURL)}
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f || r == 0xfffd }) {
		return nil, &InvalidError{Reason: "white space, control characters and backslashes do not belong in a URL"}
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
		return nil, &InvalidError{Reason: "a user or a password does not belong in the URL"}
	case address.Fragment != "":
		return nil, &InvalidError{Reason: "a fragment (#…) is never sent: leave it out"}
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
	if c.policy.allowsHost(host) || literal.IsValid() && c.policy.lists(literal) {
		return address, nil
	}
	switch {
	case literal.IsValid() && !c.policy.allowsAddr(literal):
		return nil, errForbiddenAddress
	case !literal.IsValid() && isLocalName(host):
		return nil, &ForbiddenError{Reason: "the name is not a public one"}
	case !isUsualPort(port):
		return nil, &ForbiddenError{Reason: "the port " + port + " is not one for webhooks: use 80, 443, or one from 1024 that no other protocol has"}
	}
	return address, nil
}

// canonicalHost reads a host as a resolver would, and refuses the spellings of addresses that only some resolvers read:
// decimal, octal, hexadecimal, shortened.
func canonicalHost(text string) (host string, literal netip.Addr, err error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		if addr.Zone() != "" {
			return "", netip.Addr{}, errForbiddenAddress
		}
		return addr.Unmap().String(), addr.Unmap(), nil
	}
	host, err = idna.Lookup.ToASCII(text)
	if err != nil {
		return "", netip.Addr{}, &InvalidError{Reason: "the host is not a name"}
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if addr, err := netip.ParseAddr(host); err == nil { // written in digits of another script
		return addr.Unmap().String(), addr.Unmap(), nil
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	if slices.Contains(strings.Split(host, "."), "") {
		return "", netip.Addr{}, &InvalidError{Reason: "the host is not a name"}
	}
	if _, err := strconv.ParseUint(last, 0, 64); err == nil || strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") {
		return "", netip.Addr{}, &ForbiddenError{Reason: "write the address as four decimal numbers"}
	}
	return host, netip.Addr{}, nil
}

// isLocalName tells names that only mean something in a network of one's own.
func isLocalName(host string) bool {
	if !strings.Contains(host, ".") {
		return true
	}
	return slices.ContainsFunc([]string{".localhost", ".local", ".internal", ".intranet", ".lan", ".home.arpa", ".localdomain", ".onion"},
		func(suffix string) bool { return strings.HasSuffix(host, suffix) })
}

// isUsualPort lets pass what a webhook may listen on, and none that belongs to another protocol: a request can be read as a
// command there.
func isUsualPort(text string) bool {
	if text == "" {
		return true
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || strconv.FormatUint(port, 10) != text {
		return false
	}
	taken := []uint64{
		1080, 1433, 1434, 1521, 1723, 1883, 2049, 2181, 2375, 2376, 2379, 2380, 3128, 3306, 3389, 3690, 4190, 4222, 5060, 5061, 5222, 5432, 5433,
		5671, 5672, 5900, 5984, 5985, 5986, 6000, 6379, 6380, 6443, 6566, 6665, 6666, 6667, 6668, 6669, 6697, 7000, 7001, 8125, 8300, 8301, 8500, 8600,
		9042, 9092, 9093, 9160, 9200, 9300, 10080, 10250, 10255, 11211, 15672, 26257, 27017, 27018, 27019, 50000, 61613, 61616,
	}
	return port == 80 || port == 443 || port >= 1024 && !slices.Contains(taken, port)
}

// Classify names what went wrong in one stable word.
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
