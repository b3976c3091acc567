// Package config reads the configuration: environment and flags in, one validated struct out, all problems reported together, each
// with its remedy.
package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/egress"
	"github.com/versioner-io/versioner/internal/keyring"
	"github.com/versioner-io/versioner/internal/notify"
	"github.com/versioner-io/versioner/internal/quota"
)

// DirectorySettings serve commands that only read the data directory.
type DirectorySettings struct {
	DataDir string `env:"VERSIONER_DATA_DIR" group:"Database" help:"Directory of the embedded PostgreSQL and its secrets, used without DATABASE_URL. Default: ${data_dir}." placeholder:"DIR"`
}

// NotificationSettings serve the delivery of notifications.
type NotificationSettings struct {
	EncryptionSettings

	SMTPURL           string   `env:"VERSIONER_SMTP_URL" group:"Notifications" help:"Mail server: smtp://user:password@host:587 (STARTTLS), smtps://user:password@host:465, or smtp://host:25?tls=none. Default: none, e-mail channels are unavailable." name:"smtp-url" placeholder:"URL" secret:""`
	MailFrom          string   `env:"VERSIONER_MAIL_FROM" group:"Notifications" help:"Sender address of e-mail; required with a mail server." placeholder:"ADDRESS"`
	PublicURL         string   `env:"VERSIONER_PUBLIC_URL" group:"Notifications" help:"Address at which users reach the server, such as https://versioner.example.com: e-mail links to it, and users sign in there. Required with a mail server and with a client ID." name:"public-url" placeholder:"URL"`
	DeliveriesPerDay  int      `default:"10000" env:"VERSIONER_DELIVERIES_PER_DAY" group:"Notifications" help:"Notifications per day (UTC) of an account; 0 is unlimited." placeholder:"N"`
	WebhookAllowCIDRs []string `env:"VERSIONER_WEBHOOK_ALLOW_CIDRS" group:"Notifications" help:"Networks that webhooks may call although they are not public, such as 10.1.0.0/16." name:"webhook-allow-cidrs" placeholder:"NETWORK"`
	WebhookAllowHosts []string `env:"VERSIONER_WEBHOOK_ALLOW_HOSTS" group:"Notifications" help:"Hosts that webhooks may call at any address, such as hooks.corp.example, or .corp.example for its subdomains." placeholder:"HOST"`
}

// LimitSettings bound what clients may do.
type LimitSettings struct {
	RateLimitKeyPerMinute      int      `default:"1000" env:"VERSIONER_RATE_LIMIT_KEY_PER_MINUTE" group:"Limits" help:"Requests per minute of an API key; 0 is unlimited." placeholder:"N"`
	RateLimitAccountPerHour    int      `default:"10000" env:"VERSIONER_RATE_LIMIT_ACCOUNT_PER_HOUR" group:"Limits" help:"Requests per hour of an account; 0 is unlimited." placeholder:"N"`
	RateLimitUserPerMinute     int      `default:"600" env:"VERSIONER_RATE_LIMIT_USER_PER_MINUTE" group:"Limits" help:"Requests per minute of a user; 0 is unlimited." placeholder:"N"`
	RateLimitFailuresPerMinute int      `default:"120" env:"VERSIONER_RATE_LIMIT_FAILURES_PER_MINUTE" group:"Limits" help:"Invalid credentials per minute from a client address; further requests without a valid credential are answered 429. 0 is unlimited." placeholder:"N"`
	MaxConnections             int      `default:"4096" env:"VERSIONER_MAX_CONNECTIONS" group:"Limits" help:"Connections that the server accepts concurrently; further ones wait. 0 is unlimited." placeholder:"N"`
	TrustedProxies             []string `env:"VERSIONER_TRUSTED_PROXIES" group:"Limits" help:"Networks of load balancers whose X-Forwarded-For is trusted, such as 10.0.0.5/32: the client address is the last one there that is outside of them. Default: none, the client address is that of the connection." placeholder:"NETWORK"`
	RedisURL                   string   `env:"REDIS_URL" group:"Limits" help:"Redis or Valkey for rate limits shared by all servers: redis://user:password@host:6379/0 or rediss://. Default: none, each server counts separately." name:"redis-url" placeholder:"URL" secret:""`
}

// QuotaSettings cap the objects of an account.
type QuotaSettings struct {
	MaxProducts            int `default:"10000" env:"VERSIONER_MAX_PRODUCTS" group:"Objects of an account" help:"Products of an account; 0 is unlimited." placeholder:"N"`
	MaxEnvironments        int `default:"1000" env:"VERSIONER_MAX_ENVIRONMENTS" group:"Objects of an account" help:"Environments of an account; 0 is unlimited." placeholder:"N"`
	MaxNames               int `default:"100" env:"VERSIONER_MAX_NAMES" group:"Objects of an account" help:"Names of a product or an environment, its former ones included; 0 is unlimited." placeholder:"N"`
	MaxChannels            int `default:"1000" env:"VERSIONER_MAX_CHANNELS" group:"Objects of an account" help:"Notification channels of an account; 0 is unlimited." placeholder:"N"`
	MaxPreferences         int `default:"1000" env:"VERSIONER_MAX_PREFERENCES" group:"Objects of an account" help:"Notification preferences of an account; 0 is unlimited." placeholder:"N"`
	MaxAPIKeys             int `default:"1000" env:"VERSIONER_MAX_API_KEYS" group:"Objects of an account" help:"Active API keys of an account; keys create is not limited. 0 is unlimited." name:"max-api-keys" placeholder:"N"`
	MaxCalendarFeeds       int `default:"1000" env:"VERSIONER_MAX_CALENDAR_FEEDS" group:"Objects of an account" help:"Calendar feeds of an account that are not revoked; 0 is unlimited." placeholder:"N"`
	MaxOpenReleases        int `default:"10000" env:"VERSIONER_MAX_OPEN_RELEASES" group:"Objects of an account" help:"Releases of an account that are neither completed nor cancelled; 0 is unlimited." placeholder:"N"`
	MaxVariables           int `default:"1000" env:"VERSIONER_MAX_VARIABLES" group:"Objects of an account" help:"Variables of an account, those of its products included; 0 is unlimited." placeholder:"N"`
	MaxDeploymentTemplates int `default:"1000" env:"VERSIONER_MAX_DEPLOYMENT_TEMPLATES" group:"Objects of an account" help:"Deployment templates of an account; 0 is unlimited." placeholder:"N"`
}

// UserSettings configure the authentication of users.
type UserSettings struct {
	JWTIssuer            string   `env:"VERSIONER_JWT_ISSUER" group:"Users" help:"Identity provider whose tokens are accepted: the exact iss of its tokens, such as https://example.clerk.accounts.dev." placeholder:"URL"`
	JWTJWKSURL           string   `env:"VERSIONER_JWT_JWKS_URL" group:"Users" help:"URL of its keys. Default: discovered." name:"jwt-jwks-url" placeholder:"URL"`
	JWTPublicKey         string   `env:"VERSIONER_JWT_PUBLIC_KEY" group:"Users" help:"Its key in PEM, instead of fetched keys." placeholder:"PEM"`
	JWTAlgorithm         string   `default:"RS256" env:"VERSIONER_JWT_ALGORITHM" group:"Users" help:"The only signature algorithm that is accepted." placeholder:"NAME"`
	JWTAudience          []string `env:"VERSIONER_JWT_AUDIENCE" group:"Users" help:"Accepted audiences (aud). This or VERSIONER_JWT_AUTHORIZED_PARTY is required." placeholder:"AUD"`
	JWTAuthorizedParty   []string `env:"VERSIONER_JWT_AUTHORIZED_PARTY" group:"Users" help:"Accepted authorized parties (azp)." placeholder:"AZP"`
	JWTRoleClaim         string   `env:"VERSIONER_JWT_ROLE_CLAIM" group:"Users" help:"Path of the role claim, such as realm.role. Default: that of Clerk." placeholder:"PATH"`
	JWTOrganizationClaim string   `env:"VERSIONER_JWT_ORGANIZATION_CLAIM" group:"Users" help:"Path of the organisation claim. Default: that of Clerk." placeholder:"PATH"`
	JWTIssuers           string   `env:"VERSIONER_JWT_ISSUERS" group:"Users" help:"Several identity providers: a JSON list of objects with issuer, jwks_url, public_key, algorithm, audience, authorized_party, role_claim, organization_claim, name, client_id, client_secret, scopes." placeholder:"JSON" secret:""`
	JWTCreateAccounts    bool     `default:"true" env:"VERSIONER_JWT_CREATE_ACCOUNTS" group:"Users" help:"Create the account of an unknown organisation with its first token." negatable:""`
	SignInClientID       string   `env:"VERSIONER_SIGN_IN_CLIENT_ID" group:"Users" help:"Client ID of this server at the identity provider (OpenID Connect): users sign in to the dashboard with it. Requires VERSIONER_PUBLIC_URL, whose /auth/callback is the redirect URI to register." name:"sign-in-client-id" placeholder:"ID"`
	SignInClientSecret   string   `env:"VERSIONER_SIGN_IN_CLIENT_SECRET" group:"Users" help:"Client secret; not set for a public client." placeholder:"SECRET" secret:""`
	SignInScopes         []string `env:"VERSIONER_SIGN_IN_SCOPES" group:"Users" help:"Scopes to request. Default: openid, profile, email, offline_access." placeholder:"SCOPE"`
	SignInURL            string   `env:"VERSIONER_SIGN_IN_URL" group:"Users" help:"Sign-in page of another application on this domain, such as one with Clerk, whose cookie __session the API accepts." name:"sign-in-url" placeholder:"URL"`
	CORSOrigins          []string `env:"VERSIONER_CORS_ORIGINS" group:"Users" help:"Origins whose pages may call the API with the credentials of a user, such as https://app.example.com." name:"cors-origins" placeholder:"ORIGIN"`
}

// WorkerSettings serve the notification worker.
type WorkerSettings struct {
	OperatorSettings
	DatabaseSettings
	NotificationSettings
	RetentionSettings
}

// ServerSettings are all settings. The tags define flags, environment variables, help and docs/configuration.md.
type ServerSettings struct {
	Addr       string        `default:"127.0.0.1:8080" env:"VERSIONER_ADDR" group:"Server" help:"Listen address." placeholder:"HOST:PORT"`
	Worker     bool          `default:"true" env:"VERSIONER_WORKER" group:"Server" help:"Run a notification worker inside the server; without it, versionerd worker delivers notifications." negatable:""`
	DrainDelay time.Duration `default:"5s" env:"VERSIONER_DRAIN_DELAY" group:"Server" help:"Time after SIGTERM during which the server reports not ready but still serves requests, so that load balancers deregister it." placeholder:"DURATION"`

	OperatorSettings
	DatabaseSettings
	ReadSettings
	RetentionSettings
	LimitSettings
	QuotaSettings
	NotificationSettings
	UserSettings
}

// Config is the validated configuration.
type Config struct {
	Addr             string
	OperatorAddr     string // empty: no metrics and profiles
	OperatorPprof    bool   // profiles also at an address that is not loopback
	DataDir          string // absolute
	DatabaseURL      string // empty: the embedded PostgreSQL
	ReadDatabaseURL  string // empty: lists are read from the database itself
	LogLevel         slog.Level
	Migrate          MigrateMode
	RetentionMonths  int      // 0: events are kept
	KeyPeppers       [][]byte // nil without DatabaseURL: see LoadPeppers
	Issuers          []authn.Issuer
	CreateAccounts   bool
	DrainDelay       time.Duration
	Worker           bool // whether a server delivers notifications
	CORSOrigins      []string
	SignInURL        string         // empty: no sign-in page of another application
	EncryptionKeys   [][]byte       // nil without DatabaseURL: see LoadEncryptionKeys
	Mailer           *notify.Mailer // nil: no e-mail
	PublicURL        string         // without a slash at its end
	DeliveriesPerDay int            // of an account; 0: unlimited
	Webhooks         egress.Policy
	RateLimits       RateLimits
	MaxConnections   int
	Quotas           quota.Limits
	TrustedProxies   []*net.IPNet
	RedisURL         string
}

// RateLimits apply without a limit for the account or key; 0 is unlimited.
type RateLimits struct{ KeyPerMinute, AccountPerHour, UserPerMinute, FailuresPerMinute int }

const (
	minPepper          = 32
	maxRetentionMonths = 1200
	maxDrainDelay      = time.Minute
	defaultAlgorithm   = "RS256" // equal to the default in the tag of JWTAlgorithm
)

// Resolve validates the settings and reports all problems together.
func (s DirectorySettings) Resolve() (Config, error) {
	var config Config
	err := s.apply(&config)
	return config, err
}

// Resolve validates the settings and reports all problems together.
func (s WorkerSettings) Resolve() (Config, error) {
	var config Config
	err := errors.Join(s.OperatorSettings.apply(&config), s.DatabaseSettings.apply(&config), s.RetentionSettings.apply(&config), s.NotificationSettings.apply(&config))
	return config, err
}

// Resolve validates the settings and reports all problems together.
func (s ServerSettings) Resolve() (Config, error) {
	config := Config{Addr: s.Addr, Worker: s.Worker, DrainDelay: s.DrainDelay}
	problems := []error{validateAddr(s.Addr)}
	if s.DrainDelay < 0 || s.DrainDelay > maxDrainDelay {
		problems = append(problems, fmt.Errorf("VERSIONER_DRAIN_DELAY %v: use at most %v", s.DrainDelay, maxDrainDelay))
	}
	problems = append(problems, s.OperatorSettings.apply(&config), s.DatabaseSettings.apply(&config), s.ReadSettings.apply(&config), s.RetentionSettings.apply(&config), s.LimitSettings.apply(&config), s.QuotaSettings.apply(&config), s.NotificationSettings.apply(&config), s.UserSettings.apply(&config))
	return config, errors.Join(problems...)
}

func (s DirectorySettings) apply(config *Config) (err error) {
	config.DataDir, err = absoluteDataDir(s.DataDir)
	return err
}

func (s LimitSettings) apply(config *Config) error {
	config.RedisURL = s.RedisURL
	config.RateLimits = RateLimits{
		KeyPerMinute: s.RateLimitKeyPerMinute, AccountPerHour: s.RateLimitAccountPerHour,
		UserPerMinute: s.RateLimitUserPerMinute, FailuresPerMinute: s.RateLimitFailuresPerMinute,
	}
	var problems []error
	for _, setting := range []struct {
		name  string
		limit int
	}{
		{"KEY_PER_MINUTE", s.RateLimitKeyPerMinute},
		{"ACCOUNT_PER_HOUR", s.RateLimitAccountPerHour},
		{"USER_PER_MINUTE", s.RateLimitUserPerMinute},
		{"FAILURES_PER_MINUTE", s.RateLimitFailuresPerMinute},
	} {
		if setting.limit < 0 || setting.limit > math.MaxInt32 {
			problems = append(problems, fmt.Errorf("VERSIONER_RATE_LIMIT_%s %d: use a number of requests, or 0 for unlimited", setting.name, setting.limit))
		}
	}
	if config.MaxConnections = s.MaxConnections; s.MaxConnections < 0 {
		problems = append(problems, fmt.Errorf("VERSIONER_MAX_CONNECTIONS %d: use a positive number, or 0 for unlimited", s.MaxConnections))
	}
	var err error
	config.TrustedProxies, err = parseTrustedProxies(s.TrustedProxies)
	return errors.Join(append(problems, err)...)
}

func (s QuotaSettings) apply(config *Config) error {
	config.Quotas = quota.Limits{
		Products: s.MaxProducts, Environments: s.MaxEnvironments, Channels: s.MaxChannels, Preferences: s.MaxPreferences,
		APIKeys: s.MaxAPIKeys, CalendarFeeds: s.MaxCalendarFeeds, OpenReleases: s.MaxOpenReleases, Names: s.MaxNames,
		Variables: s.MaxVariables, DeploymentTemplates: s.MaxDeploymentTemplates,
	}
	var problems []error
	for _, setting := range []struct {
		name  string
		limit int
	}{
		{"PRODUCTS", s.MaxProducts},
		{"ENVIRONMENTS", s.MaxEnvironments},
		{"NAMES", s.MaxNames},
		{"CHANNELS", s.MaxChannels},
		{"PREFERENCES", s.MaxPreferences},
		{"API_KEYS", s.MaxAPIKeys},
		{"CALENDAR_FEEDS", s.MaxCalendarFeeds},
		{"OPEN_RELEASES", s.MaxOpenReleases},
		{"VARIABLES", s.MaxVariables},
		{"DEPLOYMENT_TEMPLATES", s.MaxDeploymentTemplates},
	} {
		if setting.limit < 0 || setting.limit > math.MaxInt32 {
			problems = append(problems, fmt.Errorf("VERSIONER_MAX_%s %d: use a number of objects, or 0 for unlimited", setting.name, setting.limit))
		}
	}
	return errors.Join(problems...)
}

// apply runs after that of DatabaseSettings.
func (s NotificationSettings) apply(config *Config) error {
	var problems []error
	problems = append(problems, s.applyRequired(config))
	var err error
	config.Webhooks, err = egress.ParsePolicy(s.WebhookAllowCIDRs, s.WebhookAllowHosts)
	problems = append(problems, err)
	config.Mailer, err = s.mailer()
	problems = append(problems, err)
	config.PublicURL, err = s.publicURL()
	problems = append(problems, err)
	if config.DeliveriesPerDay = s.DeliveriesPerDay; s.DeliveriesPerDay < 0 || s.DeliveriesPerDay > math.MaxInt32 {
		problems = append(problems, fmt.Errorf("VERSIONER_DELIVERIES_PER_DAY %d: use a number of notifications, or 0 for unlimited", s.DeliveriesPerDay))
	}
	return errors.Join(problems...)
}

// publicURL returns the address without a slash at its end.
func (s NotificationSettings) publicURL() (string, error) {
	if s.PublicURL == "" {
		if s.SMTPURL != "" {
			return "", errors.New("VERSIONER_PUBLIC_URL is not set: with VERSIONER_SMTP_URL it is required, as e-mail links to it; use an address such as https://versioner.example.com")
		}
		return "", nil
	}
	address, err := url.Parse(s.PublicURL)
	if err != nil || address.Scheme != "https" && address.Scheme != "http" || address.Host == "" || address.User != nil || address.RawQuery != "" || address.Fragment != "" {
		return "", fmt.Errorf("VERSIONER_PUBLIC_URL %q: use an address such as https://versioner.example.com", s.PublicURL)
	}
	return strings.TrimRight(s.PublicURL, "/"), nil
}

func (s UserSettings) apply(config *Config) error {
	config.CreateAccounts, config.CORSOrigins = s.JWTCreateAccounts, s.CORSOrigins
	var problems []error
	for _, origin := range s.CORSOrigins {
		problems = append(problems, validateOrigin(origin))
	}
	var err error
	config.Issuers, err = s.issuers()
	config.SignInURL = s.SignInURL
	return errors.Join(append(problems, err, validateSignIn(*config))...)
}

// validateSignIn runs after NotificationSettings, which have the public URL. Browsers accept the session cookie over https, and over plain
// http on this machine.
func validateSignIn(config Config) error {
	var problems []error
	if config.SignInURL != "" {
		if address, err := url.Parse(config.SignInURL); err != nil || address.Scheme != "https" && address.Scheme != "http" || address.Host == "" || address.User != nil {
			problems = append(problems, fmt.Errorf("VERSIONER_SIGN_IN_URL %q: use an address such as https://accounts.example.com/sign-in", config.SignInURL))
		}
	}
	if !slices.ContainsFunc(config.Issuers, func(issuer authn.Issuer) bool { return issuer.ClientID != "" }) {
		return errors.Join(problems...)
	}
	switch address, err := url.Parse(config.PublicURL); {
	case config.PublicURL == "":
		problems = append(problems, errors.New("VERSIONER_PUBLIC_URL is not set: with a client ID it is required, as identity providers redirect to it; use an address such as https://versioner.example.com"))
	case err == nil && address.Scheme != "https" && !authn.IsLoopback(address.Hostname()):
		problems = append(problems, fmt.Errorf("VERSIONER_PUBLIC_URL %q: signing in requires https; plain http is for loopback hosts", config.PublicURL))
	}
	return errors.Join(problems...)
}

func (s NotificationSettings) mailer() (*notify.Mailer, error) {
	switch {
	case s.SMTPURL == "" && s.MailFrom == "":
		return nil, nil //nolint:nilnil // no e-mail
	case s.SMTPURL == "" || s.MailFrom == "":
		return nil, errors.New("VERSIONER_SMTP_URL and VERSIONER_MAIL_FROM: set both or none")
	}
	return notify.NewMailer(s.SMTPURL, s.MailFrom)
}

// parseEncryptionKeys never repeats a key in an error.
func parseEncryptionKeys(texts []string) ([][]byte, error) {
	var keys [][]byte
	for i, text := range texts {
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
		if err != nil || len(key) != keyring.KeySize {
			return nil, fmt.Errorf("VERSIONER_ENCRYPTION_KEYS: the key at position %d is not %d bytes in base64; generate one with `openssl rand -base64 32`", i+1, keyring.KeySize)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// parseTrustedProxies rejects networks that would let every client choose its address.
func parseTrustedProxies(texts []string) ([]*net.IPNet, error) {
	var networks []*net.IPNet
	var problems []error
	for _, text := range texts {
		_, network, err := net.ParseCIDR(strings.TrimSpace(text))
		if err != nil {
			problems = append(problems, fmt.Errorf("VERSIONER_TRUSTED_PROXIES %q: use networks such as 10.0.0.5/32 or 10.1.0.0/16", text))
			continue
		}
		if ones, _ := network.Mask.Size(); ones == 0 {
			problems = append(problems, fmt.Errorf("VERSIONER_TRUSTED_PROXIES %q: every client could choose its address; name only the networks of your load balancers", text))
			continue
		}
		networks = append(networks, network)
	}
	return networks, errors.Join(problems...)
}

// validateOrigin accepts origins exactly as browsers send them.
func validateOrigin(origin string) error {
	address, err := url.Parse(origin)
	if err != nil || address.Scheme != "https" && address.Scheme != "http" || address.Host == "" || origin != address.Scheme+"://"+address.Host {
		return fmt.Errorf("VERSIONER_CORS_ORIGINS %q: use only scheme and host, such as https://app.example.com", origin)
	}
	return nil
}

func validateAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("VERSIONER_ADDR %q: use host:port with a port from 0 to 65535, such as 127.0.0.1:8080 or :8080", addr)
	}
	return nil
}

// parsePeppers never repeats a pepper in an error.
func parsePeppers(texts []string) ([][]byte, error) {
	var peppers [][]byte
	for i, text := range texts {
		if len(texts) > 1 {
			text = strings.TrimSpace(text)
		}
		if len(text) < minPepper {
			return nil, fmt.Errorf("VERSIONER_KEY_PEPPER: the pepper at position %d has %d characters: use at least %d; generate one with `openssl rand -hex 32`", i+1, len(text), minPepper)
		}
		peppers = append(peppers, []byte(text))
	}
	return peppers, nil
}

// validateDatabaseURL never repeats the URL, which may hold a password.
func validateDatabaseURL(name, dsn string) error {
	if _, err := pgx.ParseConfig(dsn); err != nil {
		return errors.New(name + " cannot be read: use postgres://user:password@host:5432/database")
	}
	return nil
}

func absoluteDataDir(dir string) (string, error) {
	if dir == "" {
		dir = DefaultDataDir()
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("VERSIONER_DATA_DIR %q: %w; use an absolute path", dir, err)
	}
	return absolute, nil
}

// DefaultDataDir is /var/lib/versioner for root, whose home PostgreSQL's unprivileged user cannot enter, and a directory
// in the home of another user.
func DefaultDataDir() string {
	if os.Geteuid() == 0 {
		return "/var/lib/versioner"
	}
	if base := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "versioner")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "versioner-data"
	}
	return filepath.Join(home, ".local", "share", "versioner")
}
