package appconfig_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/appconfig"
)

func valid() appconfig.Settings {
	return appconfig.Settings{Addr: "127.0.0.1:8080", LogLevel: "info", DataDir: "data"}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	config, err := valid().Resolve()
	require.NoError(t, err)
	require.True(t, filepath.IsAbs(config.DataDir))
	require.Empty(t, config.Issuers)

	for name, test := range map[string]struct {
		change func(*appconfig.Settings)
		want   string // in the error; empty: none
	}{
		"AllInterfaces":       {func(s *appconfig.Settings) { s.Addr = ":8080" }, ""},
		"IPv6":                {func(s *appconfig.Settings) { s.Addr = "[::1]:8080" }, ""},
		"NoPort":              {func(s *appconfig.Settings) { s.Addr = "127.0.0.1" }, "VERSIONER_ADDR"},
		"PortTooLarge":        {func(s *appconfig.Settings) { s.Addr = ":65536" }, "VERSIONER_ADDR"},
		"LogLevel":            {func(s *appconfig.Settings) { s.LogLevel = "loud" }, "VERSIONER_LOG_LEVEL"},
		"DatabaseAlone":       {func(s *appconfig.Settings) { s.DatabaseURL = "postgres://h/d" }, "VERSIONER_KEY_PEPPER is not set"},
		"DatabaseWithoutKeys": {func(s *appconfig.Settings) { s.DatabaseURL, s.KeyPepper = "postgres://h/d", strings.Repeat("x", 32) }, "VERSIONER_SECRET_KEYS is not set"},
		"SecretKeys": {func(s *appconfig.Settings) {
			s.SecretKeys = []string{strings.Repeat("A", 43) + "=", strings.Repeat("B", 43) + "="}
		}, ""},
		"SecretKeyTooShort": {func(s *appconfig.Settings) { s.SecretKeys = []string{strings.Repeat("A", 43) + "=", "QUJD"} }, "the key at position 2"},
		"Mail":              {func(s *appconfig.Settings) { s.SMTPURL, s.MailFrom = "smtp://u:p@h:587", "versioner@example.com" }, ""},
		"MailFromNobody":    {func(s *appconfig.Settings) { s.SMTPURL = "smtp://u:hunter2@h:587" }, "set both or none"},
		"MailServer":        {func(s *appconfig.Settings) { s.SMTPURL, s.MailFrom = "h:587", "versioner@example.com" }, "VERSIONER_SMTP_URL"},
		"Networks": {func(s *appconfig.Settings) {
			s.WebhookAllowCIDRs, s.WebhookAllowHosts = []string{"10.0.0.0/8"}, []string{"hooks.corp.example"}
		}, ""},
		"NetworkMisspelt": {func(s *appconfig.Settings) { s.WebhookAllowCIDRs = []string{"10.0.0.0"} }, "VERSIONER_WEBHOOK_ALLOW_CIDRS"},
		"Proxies":         {func(s *appconfig.Settings) { s.TrustedProxies = []string{"10.0.0.5/32", "fd00::/8"} }, ""},
		"ProxyMisspelt":   {func(s *appconfig.Settings) { s.TrustedProxies = []string{"10.0.0.5"} }, "VERSIONER_TRUSTED_PROXIES"},
		"EverybodyAProxy": {func(s *appconfig.Settings) { s.TrustedProxies = []string{"::/0"} }, "everybody could say"},
		"HostMisspelt":    {func(s *appconfig.Settings) { s.WebhookAllowHosts = []string{"https://hooks"} }, "VERSIONER_WEBHOOK_ALLOW_HOSTS"},
		"ShortPepper":     {func(s *appconfig.Settings) { s.KeyPepper = "short" }, "VERSIONER_KEY_PEPPER has 5 characters"},
		"Clerk": {func(s *appconfig.Settings) {
			s.JWTIssuer, s.JWTAuthorizedParty = "https://x.clerk.dev", []string{"https://app"}
		}, ""},
		"IssuerForAnybody": {func(s *appconfig.Settings) { s.JWTIssuer = "https://x.clerk.dev" }, `issuer "https://x.clerk.dev"`},
		"AudienceOfNobody": {func(s *appconfig.Settings) { s.JWTAudience = []string{"a"} }, "VERSIONER_JWT_ISSUER is not set"},
		"SeveralIssuers": {func(s *appconfig.Settings) {
			s.JWTIssuers = `[{"issuer":"https://a","audience":["x"]},{"issuer":"https://b","audience":["x"]}]`
		}, ""},
		"IssuersMisspelt":      {func(s *appconfig.Settings) { s.JWTIssuers = `[{"isuer":"https://a"}]` }, "VERSIONER_JWT_ISSUERS"},
		"Origin":               {func(s *appconfig.Settings) { s.CORSOrigins = []string{"https://app.example.com"} }, ""},
		"OriginWithPath":       {func(s *appconfig.Settings) { s.CORSOrigins = []string{"https://app.example.com/"} }, "VERSIONER_CORS_ORIGINS"},
		"OriginForEverybody":   {func(s *appconfig.Settings) { s.CORSOrigins = []string{"*"} }, "VERSIONER_CORS_ORIGINS"},
		"OriginOfAnotherKind":  {func(s *appconfig.Settings) { s.CORSOrigins = []string{"file:///x"} }, "VERSIONER_CORS_ORIGINS"},
		"OriginWithUserInside": {func(s *appconfig.Settings) { s.CORSOrigins = []string{"https://a@b"} }, "VERSIONER_CORS_ORIGINS"},
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

// TestLoadSecretKeys has the same file handling as the pepper; here is what differs.
func TestLoadSecretKeys(t *testing.T) {
	t.Parallel()
	config := appconfig.Config{DataDir: t.TempDir()}
	made, err := config.LoadSecretKeys()
	require.NoError(t, err)
	require.Len(t, made, 1)
	again, err := config.LoadSecretKeys()
	require.NoError(t, err)
	require.Equal(t, made, again)
	require.NoError(t, os.WriteFile(filepath.Join(config.DataDir, "secret-key"), []byte("QUJD\n"), 0o600))
	_, err = config.LoadSecretKeys()
	require.ErrorContains(t, err, "notification channels cannot be read without it")
	require.NotContains(t, err.Error(), "QUJD")
}

func TestLoadPepper(t *testing.T) {
	t.Parallel()
	config := appconfig.Config{DataDir: t.TempDir()}
	peppers := make([]string, 8)
	var group sync.WaitGroup
	for i := range peppers {
		group.Go(func() {
			pepper, err := config.LoadPepper()
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
	files, err := os.ReadDir(config.DataDir)
	require.NoError(t, err)
	require.Len(t, files, 1, "no drafts are left")
	info, err := files[0].Info()
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	require.NoError(t, os.WriteFile(filepath.Join(config.DataDir, files[0].Name()), []byte("cut off"), 0o600))
	_, err = config.LoadPepper()
	require.ErrorContains(t, err, "damaged")
	config.KeyPepper = []byte(strings.Repeat("x", 32))
	pepper, err := config.LoadPepper()
	require.NoError(t, err)
	require.Equal(t, config.KeyPepper, pepper, "what is configured wins")
}
