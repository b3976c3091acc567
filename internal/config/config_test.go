package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/config"
)

func valid() config.Settings {
	return config.Settings{Addr: "127.0.0.1:8080", LogLevel: "info", DataDir: "data"}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	cfg, err := valid().Resolve()
	require.NoError(t, err)
	require.True(t, filepath.IsAbs(cfg.DataDir))
	require.Empty(t, cfg.Issuers)

	for name, test := range map[string]struct {
		change func(*config.Settings)
		want   string // in the error; empty: none
	}{
		"AllInterfaces":       {func(s *config.Settings) { s.Addr = ":8080" }, ""},
		"IPv6":                {func(s *config.Settings) { s.Addr = "[::1]:8080" }, ""},
		"NoPort":              {func(s *config.Settings) { s.Addr = "127.0.0.1" }, "VERSIONER_ADDR"},
		"PortTooLarge":        {func(s *config.Settings) { s.Addr = ":65536" }, "VERSIONER_ADDR"},
		"LogLevel":            {func(s *config.Settings) { s.LogLevel = "loud" }, "VERSIONER_LOG_LEVEL"},
		"DatabaseAlone":       {func(s *config.Settings) { s.DatabaseURL = "postgres://h/d" }, "VERSIONER_KEY_PEPPER is not set"},
		"DatabaseWithoutKeys": {func(s *config.Settings) { s.DatabaseURL, s.KeyPepper = "postgres://h/d", strings.Repeat("x", 32) }, "VERSIONER_ENCRYPTION_KEYS is not set"},
		"EncryptionKeys": {func(s *config.Settings) {
			s.EncryptionKeys = []string{strings.Repeat("A", 43) + "=", strings.Repeat("B", 43) + "="}
		}, ""},
		"SecretKeyTooShort": {func(s *config.Settings) { s.EncryptionKeys = []string{strings.Repeat("A", 43) + "=", "QUJD"} }, "the key at position 2"},
		"Mail":              {func(s *config.Settings) { s.SMTPURL, s.MailFrom = "smtp://u:p@h:587", "versioner@example.com" }, ""},
		"MailFromNobody":    {func(s *config.Settings) { s.SMTPURL = "smtp://u:hunter2@h:587" }, "set both or none"},
		"MailServer":        {func(s *config.Settings) { s.SMTPURL, s.MailFrom = "h:587", "versioner@example.com" }, "VERSIONER_SMTP_URL"},
		"Networks": {func(s *config.Settings) {
			s.WebhookAllowCIDRs, s.WebhookAllowHosts = []string{"10.0.0.0/8"}, []string{"hooks.corp.example"}
		}, ""},
		"NetworkMisspelt": {func(s *config.Settings) { s.WebhookAllowCIDRs = []string{"10.0.0.0"} }, "VERSIONER_WEBHOOK_ALLOW_CIDRS"},
		"Proxies":         {func(s *config.Settings) { s.TrustedProxies = []string{"10.0.0.5/32", "fd00::/8"} }, ""},
		"ProxyMisspelt":   {func(s *config.Settings) { s.TrustedProxies = []string{"10.0.0.5"} }, "VERSIONER_TRUSTED_PROXIES"},
		"EverybodyAProxy": {func(s *config.Settings) { s.TrustedProxies = []string{"::/0"} }, "everybody could say"},
		"HostMisspelt":    {func(s *config.Settings) { s.WebhookAllowHosts = []string{"https://hooks"} }, "VERSIONER_WEBHOOK_ALLOW_HOSTS"},
		"ShortPepper":     {func(s *config.Settings) { s.KeyPepper = "short" }, "VERSIONER_KEY_PEPPER has 5 characters"},
		"Clerk": {func(s *config.Settings) {
			s.JWTIssuer, s.JWTAuthorizedParty = "https://x.clerk.dev", []string{"https://app"}
		}, ""},
		"IssuerForAnybody": {func(s *config.Settings) { s.JWTIssuer = "https://x.clerk.dev" }, `issuer "https://x.clerk.dev"`},
		"AudienceOfNobody": {func(s *config.Settings) { s.JWTAudience = []string{"a"} }, "VERSIONER_JWT_ISSUER is not set"},
		"SeveralIssuers": {func(s *config.Settings) {
			s.JWTIssuers = `[{"issuer":"https://a","audience":["x"]},{"issuer":"https://b","audience":["x"]}]`
		}, ""},
		"IssuersMisspelt":      {func(s *config.Settings) { s.JWTIssuers = `[{"isuer":"https://a"}]` }, "VERSIONER_JWT_ISSUERS"},
		"Origin":               {func(s *config.Settings) { s.CORSOrigins = []string{"https://app.example.com"} }, ""},
		"OriginWithPath":       {func(s *config.Settings) { s.CORSOrigins = []string{"https://app.example.com/"} }, "VERSIONER_CORS_ORIGINS"},
		"OriginForEverybody":   {func(s *config.Settings) { s.CORSOrigins = []string{"*"} }, "VERSIONER_CORS_ORIGINS"},
		"OriginOfAnotherKind":  {func(s *config.Settings) { s.CORSOrigins = []string{"file:///x"} }, "VERSIONER_CORS_ORIGINS"},
		"OriginWithUserInside": {func(s *config.Settings) { s.CORSOrigins = []string{"https://a@b"} }, "VERSIONER_CORS_ORIGINS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := valid()
			test.change(&settings)
			_, err := settings.Resolve()
			if test.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.want)
			}
		})
	}
}

// TestLoadEncryptionKeys has the same file handling as the pepper; here is what differs.
func TestLoadEncryptionKeys(t *testing.T) {
	t.Parallel()
	cfg := config.Config{DataDir: t.TempDir()}
	made, err := cfg.LoadEncryptionKeys()
	require.NoError(t, err)
	require.Len(t, made, 1)
	again, err := cfg.LoadEncryptionKeys()
	require.NoError(t, err)
	require.Equal(t, made, again)
	require.NoError(t, os.WriteFile(filepath.Join(cfg.DataDir, "encryption-key"), []byte("QUJD\n"), 0o600))
	_, err = cfg.LoadEncryptionKeys()
	require.ErrorContains(t, err, "notification channels cannot be read without it")
	require.NotContains(t, err.Error(), "QUJD")
}

func TestLoadPepper(t *testing.T) {
	t.Parallel()
	cfg := config.Config{DataDir: t.TempDir()}
	peppers := make([]string, 8)
	var group sync.WaitGroup
	for i := range peppers {
		group.Go(func() {
			pepper, err := cfg.LoadPepper()
			if err == nil {
				peppers[i] = string(pepper)
			}
		})
	}
	group.Wait()
	for _, pepper := range peppers {
		require.Len(t, pepper, 64)
		require.Equal(t, peppers[0], pepper, "all processes agree")
	}
	files, err := os.ReadDir(cfg.DataDir)
	require.NoError(t, err)
	require.Len(t, files, 1, "no drafts are left")
	info, err := files[0].Info()
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	require.NoError(t, os.WriteFile(filepath.Join(cfg.DataDir, files[0].Name()), []byte("cut off"), 0o600))
	_, err = cfg.LoadPepper()
	require.ErrorContains(t, err, "damaged")
	cfg.KeyPepper = []byte(strings.Repeat("x", 32))
	pepper, err := cfg.LoadPepper()
	require.NoError(t, err)
	require.Equal(t, cfg.KeyPepper, pepper, "what is configured wins")
}
