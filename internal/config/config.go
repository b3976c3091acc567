// Package config reads the configuration: environment and flags in, one checked struct out, every problem reported at
// once with its cure.
package config

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/egress"
	"github.com/versioner-io/versioner/internal/keyring"
	"github.com/versioner-io/versioner/internal/notify"
)

// Settings are the settings as they are written down. The tags make flags, environment and help of them.
type Settings struct {
	Addr        string        `default:"127.0.0.1:8080" env:"VERSIONER_ADDR" help:"Address to listen on, host:port." placeholder:"HOST:PORT"`
	DataDir     string        `env:"VERSIONER_DATA_DIR" help:"Directory of the server's own PostgreSQL and secrets, used when DATABASE_URL is not set. Default: ${data_dir}." placeholder:"DIR"`
	DatabaseURL string        `env:"DATABASE_URL" help:"PostgreSQL (15 or newer) to use instead of the server's own." placeholder:"URL"`
	LogLevel    string        `default:"info" env:"VERSIONER_LOG_LEVEL" help:"Least severe level to log: debug, info, warn or error." placeholder:"LEVEL"`
	Work        bool          `default:"true" env:"VERSIONER_WORK" help:"Deliver notifications, too; without it a server leaves that to others and to versionerd work." negatable:""`
	DrainDelay  time.Duration `default:"5s" env:"VERSIONER_DRAIN_DELAY" help:"For how long, after SIGTERM, a server that is not ready any more goes on taking requests, so that load balancers notice." placeholder:"DURATION"`
	KeyPepper   string        `env:"VERSIONER_KEY_PEPPER" help:"Secret that API keys are hashed with, at least 32 characters; the same for all servers of a database. Needed with DATABASE_URL; otherwise made and kept in the data directory." placeholder:"SECRET"`

	RateLimitKeyPerMinute      int      `default:"1000" env:"VERSIONER_RATE_LIMIT_KEY_PER_MINUTE" group:"Limits" help:"Requests that an API key may send in a minute; 0: any number." placeholder:"N"`
	RateLimitAccountPerHour    int      `default:"10000" env:"VERSIONER_RATE_LIMIT_ACCOUNT_PER_HOUR" group:"Limits" help:"Requests that an account may send in an hour." placeholder:"N"`
	RateLimitUserPerMinute     int      `default:"600" env:"VERSIONER_RATE_LIMIT_USER_PER_MINUTE" group:"Limits" help:"Requests that a person may send in a minute." placeholder:"N"`
	RateLimitFailuresPerMinute int      `default:"120" env:"VERSIONER_RATE_LIMIT_FAILURES_PER_MINUTE" group:"Limits" help:"Credentials that are not valid that an address may try in a minute; after that it is answered 429, but for valid ones." placeholder:"N"`
	MaxConnections             int      `default:"4096" env:"VERSIONER_MAX_CONNECTIONS" group:"Limits" help:"Connections that the server accepts concurrently; further ones wait; 0: any number." placeholder:"N"`
	TrustedProxies             []string `env:"VERSIONER_TRUSTED_PROXIES" group:"Limits" help:"Networks of load balancers whose X-Forwarded-For is believed, such as 10.0.0.5/32: the address of a request is the last one there that is not in them. Default: none, it is that of the connection." placeholder:"NETWORK,…"`
	RedisURL                   string   `env:"REDIS_URL" group:"Limits" help:"Redis or Valkey in which servers count requests together: redis://user:password@host:6379/0 or rediss://. Without it each counts for itself." name:"redis-url" placeholder:"URL"`

	EncryptionKeys    []string `env:"VERSIONER_ENCRYPTION_KEYS" group:"Notifications" help:"Keys that the configuration of notification channels is encrypted with, 32 bytes in base64 each, the newest first; the same for all servers of a database. Needed with DATABASE_URL; otherwise made and kept in the data directory." placeholder:"KEY,…"`
	SMTPURL           string   `env:"VERSIONER_SMTP_URL" group:"Notifications" help:"Mail server: smtp://user:password@host:587 (STARTTLS), smtps://user:password@host:465, or smtp://host:25?tls=none. Without it there are no e-mail channels." name:"smtp-url" placeholder:"URL"`
	MailFrom          string   `env:"VERSIONER_MAIL_FROM" group:"Notifications" help:"Address that e-mail comes from." placeholder:"ADDRESS"`
	WebhookAllowCIDRs []string `env:"VERSIONER_WEBHOOK_ALLOW_CIDRS" group:"Notifications" help:"Networks that webhooks may call although they are not public, such as 10.1.0.0/16." name:"webhook-allow-cidrs" placeholder:"NETWORK,…"`
	WebhookAllowHosts []string `env:"VERSIONER_WEBHOOK_ALLOW_HOSTS" group:"Notifications" help:"Hosts that webhooks may call wherever they are, such as hooks.corp.example, or .corp.example for all below it." placeholder:"HOST,…"`

	JWTIssuer            string   `env:"VERSIONER_JWT_ISSUER" group:"People" help:"Identity provider whose tokens are believed: the exact iss of its tokens, such as https://example.clerk.accounts.dev." placeholder:"URL"`
	JWTJWKSURL           string   `env:"VERSIONER_JWT_JWKS_URL" group:"People" help:"Its keys, if they are not to be discovered." name:"jwt-jwks-url" placeholder:"URL"`
	JWTPublicKey         string   `env:"VERSIONER_JWT_PUBLIC_KEY" group:"People" help:"Its key in PEM, instead of keys that are fetched." placeholder:"PEM"`
	JWTAlgorithm         string   `default:"RS256" env:"VERSIONER_JWT_ALGORITHM" group:"People" help:"The one algorithm that it signs with." placeholder:"NAME"`
	JWTAudience          []string `env:"VERSIONER_JWT_AUDIENCE" group:"People" help:"Audiences (aud), of which a token must have one. This or --jwt-authorized-party is needed." placeholder:"AUD,…"`
	JWTAuthorizedParty   []string `env:"VERSIONER_JWT_AUTHORIZED_PARTY" group:"People" help:"Authorized parties (azp), of which a token must name one." placeholder:"AZP,…"`
	JWTRoleClaim         string   `env:"VERSIONER_JWT_ROLE_CLAIM" group:"People" help:"Where a token tells the role, such as realm.role. Default: where Clerk does." placeholder:"PATH"`
	JWTOrganizationClaim string   `env:"VERSIONER_JWT_ORGANIZATION_CLAIM" group:"People" help:"Where a token tells the organisation. Default: where Clerk does." placeholder:"PATH"`
	JWTIssuers           string   `env:"VERSIONER_JWT_ISSUERS" group:"People" help:"Several identity providers: a JSON list of objects with issuer, jwks_url, public_key, algorithm, audience, authorized_party, role_claim, organization_claim." placeholder:"JSON"`
	JWTCreateAccounts    bool     `default:"true" env:"VERSIONER_JWT_CREATE_ACCOUNTS" group:"People" help:"Let the first token of an unknown organisation make its account." negatable:""`
	CORSOrigins          []string `env:"VERSIONER_CORS_ORIGINS" group:"People" help:"Origins whose pages may call the API with the person's credentials, such as https://app.example.com." name:"cors-origins" placeholder:"ORIGIN,…"`
}

// Config is the configuration, checked.
type Config struct {
	Addr           string
	DataDir        string // absolute
	DatabaseURL    string // empty: the server's own PostgreSQL
	LogLevel       slog.Level
	KeyPepper      []byte // nil without DatabaseURL: see LoadPepper
	Issuers        []authn.Issuer
	CreateAccounts bool
	DrainDelay     time.Duration
	Work           bool // whether a server delivers notifications
	CORSOrigins    []string
	EncryptionKeys [][]byte       // nil without DatabaseURL: see LoadEncryptionKeys
	Mailer         *notify.Mailer // nil: no e-mail
	Webhooks       egress.Policy
	RateLimits     RateLimits
	MaxConnections int
	TrustedProxies []*net.IPNet
	RedisURL       string
}

// RateLimits are for those of whom nothing else is said; 0 is without a limit.
type RateLimits struct{ KeyPerMinute, AccountPerHour, UserPerMinute, FailuresPerMinute int }

const (
	minPepper     = 32
	maxDrainDelay = time.Minute
)

// Files of secrets in the data directory.
const (
	pepperFile        = "key-pepper"
	encryptionKeyFile = "encryption-key"
)

// Resolve checks every setting and reports all problems together.
func (s Settings) Resolve() (Config, error) {
	config := Config{Addr: s.Addr, DatabaseURL: s.DatabaseURL, CreateAccounts: s.JWTCreateAccounts, Work: s.Work, DrainDelay: s.DrainDelay, CORSOrigins: s.CORSOrigins}
	problems := []error{checkAddr(s.Addr), s.checkDatabase()}
	if err := config.LogLevel.UnmarshalText([]byte(s.LogLevel)); err != nil {
		problems = append(problems, fmt.Errorf("VERSIONER_LOG_LEVEL %q: use debug, info, warn or error", s.LogLevel))
	}
	if s.KeyPepper != "" {
		config.KeyPepper = []byte(s.KeyPepper)
		problems = append(problems, checkPepper(s.KeyPepper))
	}
	if s.DrainDelay < 0 || s.DrainDelay > maxDrainDelay {
		problems = append(problems, fmt.Errorf("VERSIONER_DRAIN_DELAY %v: use at most %v", s.DrainDelay, maxDrainDelay))
	}
	if config.MaxConnections = s.MaxConnections; s.MaxConnections < 0 {
		problems = append(problems, fmt.Errorf("VERSIONER_MAX_CONNECTIONS %d: use a positive number, or 0 for no limit", s.MaxConnections))
	}
	var err error
	config.DataDir, err = absoluteDataDir(s.DataDir)
	problems = append(problems, err)
	config.Issuers, err = s.issuers()
	problems = append(problems, err)
	for _, origin := range s.CORSOrigins {
		problems = append(problems, checkOrigin(origin))
	}
	config.RedisURL = s.RedisURL
	config.RateLimits = RateLimits{
		KeyPerMinute: s.RateLimitKeyPerMinute, AccountPerHour: s.RateLimitAccountPerHour,
		UserPerMinute: s.RateLimitUserPerMinute, FailuresPerMinute: s.RateLimitFailuresPerMinute,
	}
	problems = append(problems, s.checkLimits())
	config.TrustedProxies, err = parseProxies(s.TrustedProxies)
	problems = append(problems, err)
	config.EncryptionKeys, err = parseEncryptionKeys(s.EncryptionKeys)
	problems = append(problems, err)
	config.Webhooks, err = egress.ParsePolicy(s.WebhookAllowCIDRs, s.WebhookAllowHosts)
	problems = append(problems, err)
	config.Mailer, err = s.mailer()
	problems = append(problems, err)
	return config, errors.Join(problems...)
}

func (s Settings) checkLimits() error {
	var problems []error
	for name, limit := range map[string]int{
		"KEY_PER_MINUTE": s.RateLimitKeyPerMinute, "ACCOUNT_PER_HOUR": s.RateLimitAccountPerHour, "USER_PER_MINUTE": s.RateLimitUserPerMinute,
		"FAILURES_PER_MINUTE": s.RateLimitFailuresPerMinute,
	} {
		if limit < 0 || limit > math.MaxInt32 {
			problems = append(problems, fmt.Errorf("VERSIONER_RATE_LIMIT_%s %d: use a number of requests, or 0 for any number", name, limit))
		}
	}
	return errors.Join(problems...)
}

func (s Settings) mailer() (*notify.Mailer, error) {
	switch {
	case s.SMTPURL == "" && s.MailFrom == "":
		return nil, nil //nolint:nilnil // no e-mail
	case s.SMTPURL == "" || s.MailFrom == "":
		return nil, errors.New("VERSIONER_SMTP_URL and VERSIONER_MAIL_FROM: set both or none")
	}
	return notify.NewMailer(s.SMTPURL, s.MailFrom)
}

// parseEncryptionKeys never repeats a key.
func parseEncryptionKeys(texts []string) ([][]byte, error) {
	var keys [][]byte
	for i, text := range texts {
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
		if err != nil || len(key) != keyring.KeySize {
			return nil, fmt.Errorf("VERSIONER_ENCRYPTION_KEYS: the key at position %d is not %d bytes in base64; make one with `openssl rand -base64 32`", i+1, keyring.KeySize)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// parseProxies refuses what would believe everybody.
func parseProxies(texts []string) ([]*net.IPNet, error) {
	var networks []*net.IPNet
	var problems []error
	for _, text := range texts {
		_, network, err := net.ParseCIDR(strings.TrimSpace(text))
		if err != nil {
			problems = append(problems, fmt.Errorf("VERSIONER_TRUSTED_PROXIES %q: use networks such as 10.0.0.5/32 or 10.1.0.0/16", text))
			continue
		}
		if ones, _ := network.Mask.Size(); ones == 0 {
			problems = append(problems, fmt.Errorf("VERSIONER_TRUSTED_PROXIES %q: everybody could say what their address is; name the networks of your load balancers alone", text))
			continue
		}
		networks = append(networks, network)
	}
	return networks, errors.Join(problems...)
}

// issuer is one of VERSIONER_JWT_ISSUERS.
type issuer struct {
	Issuer            string   `json:"issuer"`
	JWKSURL           string   `json:"jwks_url"`
	PublicKey         string   `json:"public_key"`
	Algorithm         string   `json:"algorithm"`
	Audience          []string `json:"audience"`
	AuthorizedParty   []string `json:"authorized_party"`
	RoleClaim         string   `json:"role_claim"`
	OrganizationClaim string   `json:"organization_claim"`
}

// issuers gathers those of the single settings and those of the list.
func (s Settings) issuers() ([]authn.Issuer, error) {
	var listed []issuer
	if s.JWTIssuers != "" {
		decoder := json.NewDecoder(strings.NewReader(s.JWTIssuers))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&listed); err != nil {
			return nil, fmt.Errorf("VERSIONER_JWT_ISSUERS: %w; use a JSON list of objects such as {\"issuer\":\"https://…\",\"audience\":[\"…\"]}", err)
		}
	}
	if s.JWTIssuer != "" {
		listed = append(listed, issuer{
			Issuer: s.JWTIssuer, JWKSURL: s.JWTJWKSURL, PublicKey: s.JWTPublicKey, Algorithm: s.JWTAlgorithm, Audience: s.JWTAudience,
			AuthorizedParty: s.JWTAuthorizedParty, RoleClaim: s.JWTRoleClaim, OrganizationClaim: s.JWTOrganizationClaim,
		})
	} else if s.JWTJWKSURL != "" || s.JWTPublicKey != "" || len(s.JWTAudience) > 0 || len(s.JWTAuthorizedParty) > 0 {
		return nil, errors.New("VERSIONER_JWT_ISSUER is not set: the other VERSIONER_JWT_ settings are about it")
	}
	issuers := make([]authn.Issuer, len(listed))
	var problems []error
	for i, one := range listed {
		issuers[i] = authn.Issuer{
			URL: one.Issuer, JWKSURL: one.JWKSURL, PublicKeyPEM: []byte(one.PublicKey), Algorithm: one.Algorithm, Audiences: one.Audience,
			AuthorizedParties: one.AuthorizedParty, RoleClaim: one.RoleClaim, OrganizationClaim: one.OrganizationClaim,
		}
		if err := issuers[i].Check(); err != nil {
			problems = append(problems, fmt.Errorf("issuer %q: %w", one.Issuer, err))
		}
	}
	return issuers, errors.Join(problems...)
}

func (s Settings) checkDatabase() error {
	if s.DatabaseURL == "" {
		return nil
	}
	problems := []error{checkDatabaseURL(s.DatabaseURL)}
	if s.KeyPepper == "" {
		problems = append(problems, errors.New("VERSIONER_KEY_PEPPER is not set: with DATABASE_URL it is needed, and must be the same for all servers of the database; make one with `openssl rand -hex 32`"))
	}
	if len(s.EncryptionKeys) == 0 {
		problems = append(problems, errors.New("VERSIONER_ENCRYPTION_KEYS is not set: with DATABASE_URL it is needed, and must be the same for all servers of the database; make one with `openssl rand -base64 32`"))
	}
	return errors.Join(problems...)
}

// checkOrigin takes origins exactly as browsers send them.
func checkOrigin(origin string) error {
	address, err := url.Parse(origin)
	if err != nil || address.Scheme != "https" && address.Scheme != "http" || address.Host == "" || origin != address.Scheme+"://"+address.Host {
		return fmt.Errorf("VERSIONER_CORS_ORIGINS %q: use scheme and host alone, such as https://app.example.com", origin)
	}
	return nil
}

func checkAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("VERSIONER_ADDR %q: use host:port with a port from 0 to 65535, such as 127.0.0.1:8080 or :8080", addr)
	}
	return nil
}

func checkPepper(pepper string) error {
	if len(pepper) < minPepper {
		return fmt.Errorf("VERSIONER_KEY_PEPPER has %d characters: use at least %d; make one with `openssl rand -hex 32`", len(pepper), minPepper)
	}
	return nil
}

// checkDatabaseURL never repeats the URL, which may hold a password.
func checkDatabaseURL(dsn string) error {
	if _, err := pgx.ParseConfig(dsn); err != nil {
		return errors.New("DATABASE_URL cannot be read: use postgres://user:password@host:5432/database")
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
// in the home of anybody else.
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

// LoadPepper returns the configured pepper or, where none is, the one kept in the data directory, made on first use.
func (c Config) LoadPepper() ([]byte, error) {
	if c.KeyPepper != nil {
		return c.KeyPepper, nil
	}
	secret, err := keptSecret{
		path:    filepath.Join(c.DataDir, pepperFile),
		encode:  hex.EncodeToString,
		check:   checkPepper,
		without: "API keys cannot be verified without it",
	}.load()
	return []byte(secret), err
}

// LoadEncryptionKeys returns the configured keys or, where none are, the one kept in the data directory, made on first use.
func (c Config) LoadEncryptionKeys() ([][]byte, error) {
	if c.EncryptionKeys != nil {
		return c.EncryptionKeys, nil
	}
	secret, err := keptSecret{
		path:   filepath.Join(c.DataDir, encryptionKeyFile),
		encode: base64.StdEncoding.EncodeToString,
		check: func(kept string) error {
			_, err := parseEncryptionKeys([]string{kept})
			return err
		},
		without: "notification channels cannot be read without it",
	}.load()
	if err != nil {
		return nil, err
	}
	return parseEncryptionKeys([]string{secret})
}

// keptSecret is 32 random bytes in a file of the data directory.
type keptSecret struct {
	path    string
	encode  func([]byte) string
	check   func(string) error
	without string // what an operator loses with it
}

func (k keptSecret) load() (string, error) {
	switch kept, err := k.read(); {
	case err == nil:
		return kept, nil
	case !errors.Is(err, os.ErrNotExist):
		return "", err
	}
	return k.make()
}

func (k keptSecret) read() (string, error) {
	kept, err := os.ReadFile(k.path)
	if err != nil {
		return "", fmt.Errorf("read a secret: %w", err)
	}
	secret := strings.TrimSpace(string(kept))
	if k.check(secret) != nil {
		return "", fmt.Errorf("%s is damaged: restore it from a backup, %s", k.path, k.without)
	}
	return secret, nil
}

// make writes a whole file or none, and leaves one that another process made meanwhile.
func (k keptSecret) make() (string, error) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)                                                      // never fails
	draft, err := os.CreateTemp(filepath.Dir(k.path), filepath.Base(k.path)+".*") // made with mode 0600
	if err != nil {
		return "", fmt.Errorf("keep a secret: %w", err)
	}
	defer func() { _ = os.Remove(draft.Name()) }()
	_, err = draft.WriteString(k.encode(secret) + "\n")
	if err = errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return "", fmt.Errorf("keep a secret: %w", err)
	}
	if err := os.Link(draft.Name(), k.path); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("keep a secret: %w", err)
	}
	return k.read()
}
