package notify

import (
	"net/mail"
	"strings"
	"testing"
)

// FuzzRecipients: no accepted address contains a line break or another address.
func FuzzRecipients(f *testing.F) {
	for _, seed := range []string{"a@example.com", "a@example.com, b@example.com", "Ada <a@example.com>", "a@b\r\nBcc: c@d", "\"a,b\"@example.com", "a@[127.0.0.1]", "@", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		addresses, err := parseRecipients(text)
		if err != nil {
			return
		}
		if len(addresses) == 0 || len(addresses) > maxRecipients {
			t.Fatalf("%q has %d addresses", text, len(addresses))
		}
		for _, address := range addresses {
			parsed, err := mail.ParseAddress(address)
			if err != nil || parsed.Address != address || strings.ContainsAny(address, "\r\n\x00") || !strings.Contains(text, address) {
				t.Fatalf("%q was read as %q", text, address)
			}
		}
	})
}
