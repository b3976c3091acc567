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

func valid() (s config.ServerSettings) {
	s.Addr, s.LogLevel, s.DataDir = "127.0.0.1:8080", "info", "data"
	return s
}

func TestResolve(t *testing.T) {
	t.Parallel()
	cfg, err := valid().Resolve()
	require.NoError(t, err)
	require.True(t, filepath.IsAbs(cfg.DataDir))
	require.Empty(t, cfg.Issuers)

	for name, test := range map[string]struct {
		change func(*config.ServerSettings)
		want   string // in the error; empty: none
	}{
		"AllInterfaces":  {func(s *config.ServerSettings) { s.Addr = ":8080" }, ""},
		"IPv6":           {func(s *config.ServerSettings) { s.Addr = "[::1]:8080" }, ""},
		"NoPort":         {func(s *config.ServerSettings) { s.Addr = "127.0.0.1" }, "VERSIONER_ADDR"},
		"PortTooLarge":   {func(s *config.ServerSettings) { s.Addr = ":65536" }, "VERSIONER_ADDR"},
		"OperatorAddr":   {func(s *config.ServerSettings) { s.OperatorAddr = "10.0.0.5:9464" }, ""},
		"OperatorNoPort": {func(s *config.ServerSettings) { s.OperatorAddr = "off" }, "VERSIONER_OPERATOR_ADDR"},
		"LogLevel":       {func(s *config.ServerSettings) { s.LogLevel = "loud" }, "VERSIONER_LOG_LEVEL"},
		"DatabaseAlone":  {func(s *config.ServerSettings) { s.DatabaseURL = "postgres://h/d" }, "VERSIONER_KEY_PEPPER is not set"},
		"DatabaseWithoutKeys": {func(s *config.ServerSettings) {
			s.DatabaseURL, s.KeyPepper = "postgres://h/d", []string{strings.Repeat("x", 32)}
		}, "VERSIONER_ENCRYPTION_KEYS is not set"},
		"EncryptionKeys": {func(s *config.ServerSettings) {
			s.EncryptionKeys = []string{strings.Repeat("A", 43) + "=", strings.Repeat("B", 43) + "="}
		}, ""},
		"EncryptionKeyTooShort": {func(s *config.ServerSettings) { s.EncryptionKeys = []string{strings.Repeat("A", 43) + "=", "QUJD"} }, "the key at position 2"},
		"Mail": {func(s *config.ServerSettings) {
			s.SMTPURL, s.MailFrom, s.PublicURL = "smtp://u:p@h:587", "versioner@example.com", "https://versioner.example.com/"
		}, ""},
		"MailWithoutPublicURL": {func(s *config.ServerSettings) { s.SMTPURL, s.MailFrom = "smtp://u:p@h:587", "versioner@example.com" }, "VERSIONER_PUBLIC_URL is not set"},
		"PublicURL":            {func(s *config.ServerSettings) { s.PublicURL = "versioner.example.com" }, "VERSIONER_PUBLIC_URL"},
		"PublicURLWithQuery":   {func(s *config.ServerSettings) { s.PublicURL = "https://versioner.example.com/?a=b" }, "VERSIONER_PUBLIC_URL"},
		"DeliveriesPerDay":     {func(s *config.ServerSettings) { s.DeliveriesPerDay = -1 }, "VERSIONER_DELIVERIES_PER_DAY"},
		"MailWithoutSender":    {func(s *config.ServerSettings) { s.SMTPURL = "smtp://u:hunter2@h:587" }, "set both or none"},
		"MailServer":           {func(s *config.ServerSettings) { s.SMTPURL, s.MailFrom = "h:587", "versioner@example.com" }, "VERSIONER_SMTP_URL"},
		"Networks": {func(s *config.ServerSettings) {
			s.WebhookAllowCIDRs, s.WebhookAllowHosts = []string{"10.0.0.0/8"}, []string{"hooks.corp.example"}
		}, ""},
		"NetworkMisspelt":    {func(s *config.ServerSettings) { s.WebhookAllowCIDRs = []string{"10.0.0.0"} }, "VERSIONER_WEBHOOK_ALLOW_CIDRS"},
		"Proxies":            {func(s *config.ServerSettings) { s.TrustedProxies = []string{"10.0.0.5/32", "fd00::/8"} }, ""},
		"ProxyMisspelt":      {func(s *config.ServerSettings) { s.TrustedProxies = []string{"10.0.0.5"} }, "VERSIONER_TRUSTED_PROXIES"},
		"ProxyOfAllNetworks": {func(s *config.ServerSettings) { s.TrustedProxies = []string{"::/0"} }, "every client could choose its address"},
		"HostMisspelt":       {func(s *config.ServerSettings) { s.WebhookAllowHosts = []string{"https://hooks"} }, "VERSIONER_WEBHOOK_ALLOW_HOSTS"},
		"SignIn": {func(s *config.ServerSettings) {
			s.JWTIssuer, s.JWTAudience, s.SignInClientID, s.SignInClientSecret, s.PublicURL = "https://login.example.com", []string{"a"}, "id", "hunter2", "https://versioner.example.com"
		}, ""},
		"SignInOnThisMachine": {func(s *config.ServerSettings) {
			s.JWTIssuer, s.JWTAudience, s.SignInClientID, s.PublicURL = "https://login.example.com", []string{"a"}, "id", "http://localhost:8080"
		}, ""},
		"SignInWithoutPublicURL": {func(s *config.ServerSettings) {
			s.JWTIssuer, s.JWTAudience, s.SignInClientID = "https://login.example.com", []string{"a"}, "id"
		}, "VERSIONER_PUBLIC_URL is not set: with a client ID"},
		"SignInOverPlainHTTP": {func(s *config.ServerSettings) {
			s.JWTIssuer, s.JWTAudience, s.SignInClientID, s.PublicURL = "https://login.example.com", []string{"a"}, "id", "http://versioner.example.com"
		}, "signing in requires https"},
		"SignInWithoutIssuer": {func(s *config.ServerSettings) { s.SignInClientID = "id" }, "VERSIONER_SIGN_IN_CLIENT_ID cannot apply"},
		"SignInWithoutDiscovery": {func(s *config.ServerSettings) {
			s.JWTIssuer, s.JWTAudience, s.JWTPublicKey, s.SignInClientID, s.PublicURL = "https://login.example.com", []string{"a"}, "x", "id", "https://versioner.example.com"
		}, "a public key excludes that"},
		"SecretWithoutClient": {func(s *config.ServerSettings) {
			s.JWTIssuers = `[{"issuer":"https://login.example.com","audience":["a"],"client_secret":"hunter2"}]`
		}, "without a client ID"},
		"SignInPage":         {func(s *config.ServerSettings) { s.SignInURL = "https://accounts.example.com/sign-in" }, ""},
		"SignInPageMisspelt": {func(s *config.ServerSettings) { s.SignInURL = "accounts.example.com" }, "VERSIONER_SIGN_IN_URL"},
		"ShortPepper":        {func(s *config.ServerSettings) { s.KeyPepper = []string{strings.Repeat("x", 32), "short"} }, "VERSIONER_KEY_PEPPER: the pepper at position 2 has 5 characters"},
		"Clerk": {func(s *config.ServerSettings) {
			s.JWTIssuer, s.JWTAuthorizedParty = "https://x.clerk.dev", []string{"https://app"}
		}, ""},
		"IssuerWithoutAudience":  {func(s *config.ServerSettings) { s.JWTIssuer = "https://x.clerk.dev" }, `issuer "https://x.clerk.dev"`},
		"AudienceWithoutIssuer":  {func(s *config.ServerSettings) { s.JWTAudience = []string{"a"} }, "VERSIONER_JWT_ISSUER is not set"},
		"DefaultAlgorithm":       {func(s *config.ServerSettings) { s.JWTAlgorithm = "RS256" }, ""},
		"AlgorithmWithoutIssuer": {func(s *config.ServerSettings) { s.JWTAlgorithm = "ES256" }, "VERSIONER_JWT_ALGORITHM cannot apply"},
		"RoleClaimWithoutIssuer": {func(s *config.ServerSettings) { s.JWTRoleClaim = "role" }, "VERSIONER_JWT_ROLE_CLAIM cannot apply"},
		"OrganizationClaimBesideIssuers": {func(s *config.ServerSettings) {
			s.JWTIssuers, s.JWTOrganizationClaim = `[{"issuer":"https://a","audience":["x"]}]`, "org"
		}, "VERSIONER_JWT_ORGANIZATION_CLAIM cannot apply"},
		"KeyAndKeyURL": {func(s *config.ServerSettings) {
			s.JWTIssuer, s.JWTAudience, s.JWTJWKSURL, s.JWTPublicKey = "https://a", []string{"x"}, "https://a/jwks", "PEM"
		}, "exclude each other"},
		"IssuerTwice": {func(s *config.ServerSettings) {
			s.JWTIssuer, s.JWTAudience, s.JWTIssuers = "https://a", []string{"x"}, `[{"issuer":"https://a","audience":["y"]}]`
		}, `issuer "https://a" is configured twice`},
		"NoIssuers":          {func(s *config.ServerSettings) { s.JWTIssuers = "[]" }, "VERSIONER_JWT_ISSUERS lists no issuer"},
		"IssuersCutInMiddle": {func(s *config.ServerSettings) { s.JWTIssuers = `[{"issuer":"https://a","audience":["x"]}] [` }, "VERSIONER_JWT_ISSUERS"},
		"SeveralIssuers": {func(s *config.ServerSettings) {
			s.JWTIssuers = `[{"issuer":"https://a","audience":["x"]},{"issuer":"https://b","audience":["x"]}]`
		}, ""},
		"IssuersMisspelt":       {func(s *config.ServerSettings) { s.JWTIssuers = `[{"isuer":"https://a"}]` }, "VERSIONER_JWT_ISSUERS"},
		"Origin":                {func(s *config.ServerSettings) { s.CORSOrigins = []string{"https://app.example.com"} }, ""},
		"OriginWithPath":        {func(s *config.ServerSettings) { s.CORSOrigins = []string{"https://app.example.com/"} }, "VERSIONER_CORS_ORIGINS"},
		"AnyOrigin":             {func(s *config.ServerSettings) { s.CORSOrigins = []string{"*"} }, "VERSIONER_CORS_ORIGINS"},
		"OriginWithOtherScheme": {func(s *config.ServerSettings) { s.CORSOrigins = []string{"file:///x"} }, "VERSIONER_CORS_ORIGINS"},
		"OriginWithUserInfo":    {func(s *config.ServerSettings) { s.CORSOrigins = []string{"https://a@b"} }, "VERSIONER_CORS_ORIGINS"},
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

// TestEachSettingThatCannotApplyIsReported expects one line for each, and each line once.
func TestEachSettingThatCannotApplyIsReported(t *testing.T) {
	t.Parallel()
	settings := valid()
	settings.JWTJWKSURL, settings.JWTPublicKey, settings.JWTAlgorithm = "https://a/jwks", "PEM", "ES256"
	settings.JWTAudience, settings.JWTAuthorizedParty = []string{"a"}, []string{"b"}
	settings.JWTRoleClaim, settings.JWTOrganizationClaim = "role", "org"
	_, err := settings.Resolve()
	require.Error(t, err)
	require.Len(t, strings.Split(err.Error(), "\n"), 7)

	settings = valid()
	settings.JWTIssuer = "https://a"
	_, err = settings.Resolve()
	require.EqualError(t, err, `issuer "https://a": neither audiences nor authorized parties: tokens for any other application would be accepted`)
}

// TestLoadEncryptionKeys covers what differs from the pepper, whose file handling is the same.
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

func TestLoadPeppers(t *testing.T) {
	t.Parallel()
	cfg := config.Config{DataDir: t.TempDir()}
	peppers := make([]string, 8)
	var group sync.WaitGroup
	for i := range peppers {
		group.Go(func() {
			loaded, err := cfg.LoadPeppers()
			if err == nil {
				peppers[i] = string(loaded[0])
			}
		})
	}
	group.Wait()
	for _, pepper := range peppers {
		require.Len(t, pepper, 64)
		require.Equal(t, peppers[0], pepper, "concurrent processes get one pepper")
	}
	files, err := os.ReadDir(cfg.DataDir)
	require.NoError(t, err)
	require.Len(t, files, 1, "temporary files remain")
	info, err := files[0].Info()
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	require.NoError(t, os.WriteFile(filepath.Join(cfg.DataDir, files[0].Name()), []byte("cut off"), 0o600))
	_, err = cfg.LoadPeppers()
	require.ErrorContains(t, err, "damaged")
	older, newer := strings.Repeat("o", 32), strings.Repeat("n", 32)
	require.NoError(t, os.WriteFile(filepath.Join(cfg.DataDir, files[0].Name()), []byte(newer+", "+older+"\n"), 0o600))
	loaded, err := cfg.LoadPeppers()
	require.NoError(t, err)
	require.Equal(t, [][]byte{[]byte(newer), []byte(older)}, loaded, "two of them while they are rotated")
	cfg.KeyPeppers = [][]byte{[]byte(strings.Repeat("x", 32))}
	loaded, err = cfg.LoadPeppers()
	require.NoError(t, err)
	require.Equal(t, cfg.KeyPeppers, loaded, "the configured pepper has precedence")
}

func TestCommandsValidateOnlyTheirSettings(t *testing.T) {
	t.Parallel()
	settings := valid()
	settings.DatabaseURL, settings.KeyPepper = "postgres://h/d", []string{strings.Repeat("x", 32)}
	_, err := settings.DatabaseSettings.Resolve()
	require.NoError(t, err, "keys need no encryption keys")
	_, err = settings.Resolve()
	require.Error(t, err)
	_, err = config.WorkerSettings{DatabaseSettings: settings.DatabaseSettings}.Resolve()
	require.ErrorContains(t, err, "VERSIONER_ENCRYPTION_KEYS is not set")
	require.NotContains(t, err.Error(), "VERSIONER_ADDR")
}

func TestCheckEnvironment(t *testing.T) {
	t.Parallel()
	invalid, err := config.CheckEnvironment([]string{
		"VERSIONER_ADR=:8080", "VERSIONER_WORK=false", "VERSIONER_NONSENSE_SETTING=1", "VERSIONER_DRAIN_DELAY=5", "VERSIONER_RATE_LIMIT_KEY_PER_MINUTE=many",
		"VERSIONER_JWT_CREATE_ACCOUNTS=maybe", "VERSIONER_RATE_LIMIT_USER_PER_MINUTE=", "VERSIONER_WORKER=No", "PATH=/bin", "VERSIONERD_X=1",
	})
	require.ElementsMatch(t, []string{"VERSIONER_DRAIN_DELAY", "VERSIONER_RATE_LIMIT_KEY_PER_MINUTE", "VERSIONER_JWT_CREATE_ACCOUNTS", "VERSIONER_RATE_LIMIT_USER_PER_MINUTE"}, invalid)
	require.Equal(t, []string{
		"VERSIONER_ADR is not a setting: did you mean VERSIONER_ADDR?",
		`VERSIONER_DRAIN_DELAY "5": use a duration such as 500ms, 5s or 1m`,
		`VERSIONER_JWT_CREATE_ACCOUNTS "maybe": use true or false`,
		"VERSIONER_NONSENSE_SETTING is not a setting: remove it; `versionerd serve --help` lists the settings",
		`VERSIONER_RATE_LIMIT_KEY_PER_MINUTE "many": use a whole number`,
		"VERSIONER_WORK is not a setting: did you mean VERSIONER_WORKER?",
	}, strings.Split(err.Error(), "\n"))

	_, err = config.CheckEnvironment([]string{
		"VERSIONER_API_URL=http://x", "VERSIONER_API_KEY=sk", "VERSIONER_UI_URL=http://x", "VERSIONER_PRODUCT=p", "VERSIONER_SCM_SHA=1", "VERSIONER_DEPLOYED_BY=x",
		"VERSIONER_SERVICE_HOST=10.0.0.1", "VERSIONER_SERVICE_PORT=80", "VERSIONER_SERVICE_PORT_HTTP=80", "VERSIONER_PORT=tcp://10.0.0.1:80",
		"VERSIONER_PORT_80_TCP_ADDR=10.0.0.1", "VERSIONER_API_SERVICE_HOST=10.0.0.1", "VERSIONER_API_PORT_8080_TCP=tcp://10.0.0.1:8080",
	})
	require.NoError(t, err, "variables of CI clients and of Kubernetes services")
}

func TestAllSettings(t *testing.T) {
	t.Parallel()
	for _, setting := range config.AllSettings() {
		require.Regexp(t, `^(VERSIONER_[A-Z_]+|DATABASE_URL|REDIS_URL)$`, setting.Env)
		require.NotEmpty(t, setting.Group, setting.Env)
		require.Regexp(t, `^[A-Z].*\.$`, setting.Help, setting.Env)
	}
}
