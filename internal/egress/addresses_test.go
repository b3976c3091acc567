package egress_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/egress"
)

// TestAddresses calls every address: in the URL, and (IPv4) through a name that resolves to it.
func TestAddresses(t *testing.T) {
	t.Parallel()
	forbidden := strings.Fields(`
		0.0.0.0 0.0.0.1 0.255.255.255 10.0.0.0 10.0.0.1 10.255.255.255 100.64.0.0 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.0 127.0.0.1
		127.0.1.1 127.255.255.255 169.254.0.0 169.254.0.1 169.254.169.254 169.254.170.2 169.254.255.255 172.16.0.0 172.16.0.1 172.20.10.1
		172.31.255.255 192.0.0.0 192.0.0.8 192.0.0.170 192.0.0.192 192.0.2.0 192.0.2.1 192.31.196.1 192.52.193.1 192.88.99.1 192.168.0.0 192.168.0.1 192.168.255.255
		198.18.0.0 198.18.0.1 198.19.255.255 192.175.48.1 198.51.100.1 203.0.113.1 224.0.0.0 224.0.0.1 239.255.255.255 240.0.0.0 250.1.2.3 255.255.255.254
		255.255.255.255 168.63.129.16
		:: ::1 ::2 ::ffff:0.0.0.0 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:7f00:1 ::127.0.0.1 ::a9fe:a9fe ::ffff:0:127.0.0.1
		64:ff9b::127.0.0.1 64:ff9b::169.254.169.254 64:ff9b::8.8.8.8 64:ff9b:1::1 64:ff9b:1:7f00:1:: 100::1 100:0:0:1::1 2001::1 2001:0:7f00:1:: 2001:2::1
		2001:10::1 2001:20::1 2001:1ff::1 2001:db8::1 2001:db8:ffff::1 2002:7f00:1:: 2002:a9fe:a9fe::1 2002:808:808::1 2620:4f:8000::1 3fff::1 3fff:fff::1 5f00::1 fc00::1
		fd00::1 fd00:ec2::254 fdff:ffff::1 fe80::1 fe80::a9fe:a9fe febf::1 fec0::1 ff00::1 ff02::1 ff0e::1 4000::1 1::1 ffff::1`)
	public := strings.Fields(`
		1.0.0.1 8.8.8.8 9.255.255.255 11.0.0.1 100.63.255.255 100.128.0.1 126.255.255.255 128.0.0.1 169.253.255.255 169.255.0.1 172.15.255.255 172.32.0.1
		191.255.255.255 192.0.1.1 192.0.3.1 192.167.255.255 192.169.0.1 198.17.255.255 198.20.0.1 203.0.112.1 203.0.114.1 223.255.255.255
		2000::1 2001:200::1 2001:4860:4860::8888 2001:db7::1 2003::1 2606:4700:4700::1111 2a00:1450::1 ::ffff:8.8.8.8 3ffe::1`)
	require.GreaterOrEqual(t, len(forbidden), 80)
	c := client(t)
	for _, text := range forbidden {
		addr := netip.MustParseAddr(text)
		_, err := c.CheckURL(t.Context(), "https://"+bracketed(addr)+"/")
		require.True(t, isForbidden(err), "%s: %v", text, err)
		_, err = post(t.Context(), t, c, "https://"+bracketed(addr)+"/")
		require.True(t, isForbidden(err), "%s: %v", text, err)
		if addr.Is4() {
			named := client(t)
			egress.SetResolver(named, nameServer(t, func(int64) netip.Addr { return addr }))
			_, err = named.CheckURL(t.Context(), "https://named.example.com/")
			require.True(t, isForbidden(err), "%s: %v", text, err)
			_, err = post(t.Context(), t, named, "https://named.example.com/")
			require.True(t, isForbidden(err), "%s: %v", text, err)
		}
	}
	for _, text := range public {
		_, err := c.CheckURL(t.Context(), "https://"+bracketed(netip.MustParseAddr(text))+"/")
		require.NoError(t, err, text)
	}
}

func bracketed(addr netip.Addr) string {
	if addr.Is4() {
		return addr.String()
	}
	return "[" + addr.String() + "]"
}

// TestNotations covers notations that parsers are known to read differently.
func TestNotations(t *testing.T) {
	t.Parallel()
	c := client(t)
	egress.SetResolver(c, nameServer(t, func(int64) netip.Addr { return netip.MustParseAddr("8.8.8.8") }))
	rejected := []string{
		// Notations of the loopback address.
		"http://127.1/", "http://127.0.1/", "http://2130706433/", "http://017700000001/", "http://0x7f000001/", "http://0x7f.0x0.0x0.0x1/", "http://0177.0.0.1/",
		"http://0177.0.0.01/", "http://127.0.0.01/", "http://127.000.000.001/", "http://0x7f.1/", "http://127.0.0.1./", "http://0/", "http://0.0/", "http://00.0.0.0/",
		"http://4294967295/", "http://256.0.0.1/", "http://1.2.3/", "http://1.2.3.4.5/", "http://127.0.0.0x1/", "http://foo.0x7f/", "http://foo.1/",
		"http://１２７.０.０.１/", "http://127。0。0。1/", "http://①②⑦.⓪.⓪.①/", "http://127%2e0%2e0%2e1/", "http://%31%32%37.0.0.1/", "http://[::ffff:7f00:1]/",
		"http://[::ffff:127.0.0.1]/", "http://[0:0:0:0:0:ffff:127.0.0.1]/", "http://[::1]/", "http://[0000::1]/", "http://[::1%25lo]/", "http://[fe80::1%25eth0]/",
		"http://[::127.0.0.1]/", "http://[::ffff:0x7f.1]/", "http://[127.0.0.1]/", "http://::1/", "http://[::1", "http://::ffff:127.0.0.1/",
		// Private host names.
		"http://localhost/", "http://LOCALHOST/", "http://localhost./", "http://foo.localhost/", "http://ｌｏｃａｌｈｏｓｔ/", "http://intranet/", "http://metadata/",
		"http://metadata.google.internal/", "http://printer.local/", "http://db.lan/", "http://router.home.arpa/", "http://x.onion/",
		// Not an http(s) URL.
		"", "example.com", "//example.com/", "/path", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "javascript:alert(1)", "http:example.com",
		"http:///path", "http://", "https://:443/", "unix:///run/docker.sock", "data:text/plain,x",
		// Other parts and characters.
		"http://user@example.com/", "http://user:pass@example.com/", "http://@example.com/", "http://127.0.0.1@example.com/", "http://example.com@127.0.0.1/",
		"http://example.com\\@127.0.0.1/", "http://example.com/#x", "http://example.com /", " http://example.com/", "http://exa\tmple.com/", "http://example.com/\r\nHost: x",
		"http://example.com/\x00", "http://exam\u00a0ple.com/", "http://-example.com/", "http://exa_mple..com/", "http://.example.com/", "http://example.com../",
		// Reserved ports.
		"http://example.com:22/", "http://example.com:25/", "http://example.com:53/", "http://example.com:3306/", "http://example.com:5432/", "http://example.com:6379/",
		"http://example.com:11211/", "http://example.com:2375/", "http://example.com:0/", "http://example.com:65536/", "http://example.com:99999/", "http://example.com:/",
		"http://example.com:080/", "http://example.com:-1/", "http://example.com:http/", "http://example.com:10250/", "http://example.com:1023/",
		"https://example.com/" + strings.Repeat("x", 2048),
	}
	require.GreaterOrEqual(t, len(rejected), 60)
	for _, text := range rejected {
		_, err := c.CheckURL(t.Context(), text)
		require.Error(t, err, "%q", text)
		_, invalid := errors.AsType[*egress.InvalidError](err)
		require.True(t, invalid || isForbidden(err), "%q: %v", text, err)
	}
	for text, want := range map[string]string{
		"https://example.com":                   "https://example.com",
		"https://EXAMPLE.com/Path?q=A#":         "https://example.com/Path?q=A",
		"http://example.com.:8080/":             "http://example.com:8080/",
		"https://bücher.example/":               "https://xn--bcher-kva.example/",
		"https://8.8.8.8:8443/x":                "https://8.8.8.8:8443/x",
		"https://[2606:4700:4700::1111]/x":      "https://[2606:4700:4700::1111]/x",
		"https://[2606:4700:4700::1111]:8443/x": "https://[2606:4700:4700::1111]:8443/x",
		"https://a-b.c1.example.com/%2e%2e/x":   "https://a-b.c1.example.com/%2e%2e/x",
	} {
		checked, err := c.CheckURL(t.Context(), text)
		require.NoError(t, err, text)
		require.Equal(t, want, checked.String())
	}
}
