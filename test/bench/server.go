package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

const (
	readyTimeout = 60 * time.Second
	readyPoll    = 20 * time.Millisecond
	logTailBytes = 2000
)

// secrets are shared by the servers.
type secrets struct {
	pepper, encryptionKey string
	issuer                *issuer
}

func newSecrets() (*secrets, error) {
	random := func() []byte {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // never fails
		return key
	}
	issuer, err := newIssuer()
	return &secrets{pepper: hex.EncodeToString(random()), encryptionKey: base64.StdEncoding.EncodeToString(random()), issuer: issuer}, err
}

// restoreSecrets returns the secrets of an earlier run.
func restoreSecrets(pepper, encryptionKey string, signingKey []byte) (*secrets, error) {
	key, err := x509.ParsePKCS1PrivateKey(signingKey)
	if err != nil {
		return nil, fmt.Errorf("read the signing key: %w", err)
	}
	issuer, err := issuerOf(key)
	return &secrets{pepper: pepper, encryptionKey: encryptionKey, issuer: issuer}, err
}

// server is a running server and the counters of the events sent to it.
type server struct {
	name    string
	process *childProcess
	address string
	log     string
	dsn     string

	acknowledged, failed int // events
	firstFailure         string
	base                 int  // events in the database from another source
	recordsNothing       bool // true for the empty handler
}

// command describes how to start a server.
type command struct {
	name        string
	program     string
	args        []string
	environment []string // in addition to that of every server
	dsn         string
}

// formerNames returns the settings by the names that older revisions have for them.
func formerNames(keys *secrets) []string {
	return []string{"VERSIONER_SECRET_KEYS=" + keys.encryptionKey, "VERSIONER_WORK=false"}
}

// startServer starts a server on a free port of 127.0.0.1, with a clean environment: no rate limit, no notification worker.
func startServer(ctx context.Context, c command, keys *secrets, dir string) (*server, error) {
	s := &server{name: c.name, log: filepath.Join(dir, c.name+".log"), dsn: c.dsn}
	var err error
	if s.address, err = freeAddress(ctx); err != nil {
		return nil, err
	}
	log, err := os.Create(s.log)
	if err != nil {
		return nil, fmt.Errorf("create the log of the server: %w", err)
	}
	defer func() { _ = log.Close() }() // the process has its own
	if s.process, err = startProcess(ctx, c.program, c.args, append(s.environment(keys, dir), c.environment...), log); err != nil {
		return nil, err
	}
	if err := s.awaitReady(ctx); err != nil {
		s.process.stop()
		return nil, errors.Join(err, s.logTail())
	}
	return s, nil
}

func (s *server) environment(keys *secrets, dir string) []string {
	environment := []string{
		"DATABASE_URL=" + s.dsn,
		"VERSIONER_ADDR=" + s.address,
		"VERSIONER_DATA_DIR=" + dir,
		"VERSIONER_DRAIN_DELAY=0s",
		"VERSIONER_KEY_PEPPER=" + keys.pepper,
		"VERSIONER_ENCRYPTION_KEYS=" + keys.encryptionKey,
		"VERSIONER_WORKER=false",
		"VERSIONER_WEBHOOK_ALLOW_CIDRS=127.0.0.0/8",
		"VERSIONER_RATE_LIMIT_KEY_PER_MINUTE=0",
		"VERSIONER_RATE_LIMIT_ACCOUNT_PER_HOUR=0",
		"VERSIONER_RATE_LIMIT_USER_PER_MINUTE=0",
		"VERSIONER_RATE_LIMIT_FAILURES_PER_MINUTE=0",
		"VERSIONER_JWT_ISSUER=" + issuerURL,
		"VERSIONER_JWT_AUTHORIZED_PARTY=" + authorizedParty,
		"VERSIONER_JWT_PUBLIC_KEY=" + keys.issuer.publicKey,
	}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "GOMAXPROCS", "GOGC", "GOMEMLIMIT"} {
		if value, ok := os.LookupEnv(name); ok {
			environment = append(environment, name+"="+value)
		}
	}
	return environment
}

func (s *server) awaitReady(ctx context.Context) error {
	for end := time.Now().Add(readyTimeout); time.Now().Before(end); {
		if s.process.hasEnded() {
			return fmt.Errorf("%s: the server has ended: %w", s.name, s.process.wait())
		}
		if s.isReady(ctx) {
			return nil
		}
		if err := sleep(ctx, readyPoll); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: the server is not ready after %v", s.name, readyTimeout)
}

func (s *server) isReady(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+"/health/ready", http.NoBody)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// logTail returns the end of the log as an error.
func (s *server) logTail() error {
	file, err := os.Open(s.log)
	if err != nil {
		return fmt.Errorf("read the log of the server: %w", err)
	}
	defer func() { _ = file.Close() }()
	if size, err := file.Seek(0, io.SeekEnd); err == nil {
		_, _ = file.Seek(max(0, size-logTailBytes), io.SeekStart)
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return fmt.Errorf("read the log of the server: %w", err)
	}
	return fmt.Errorf("its log ends with:\n%s", bytes.TrimSpace(text))
}

// count adds the outcome of a load to the counters.
func (s *server) count(o outcome) {
	s.acknowledged += len(o.answers)
	s.failed += o.failures
	if s.firstFailure == "" {
		s.firstFailure = o.firstFailure
	}
}

// verify reports whether the database holds each acknowledged event once. An event that was not answered 200 may be recorded.
func (s *server) verify(ctx context.Context) (recorded int, err error) {
	if !s.recordsNothing {
		total, err := countEvents(ctx, s.dsn)
		if err != nil {
			return 0, err
		}
		recorded = total - s.base
	}
	if s.failed > 0 {
		err = fmt.Errorf("%s: %d events were not answered 200; the first: %s", s.name, s.failed, s.firstFailure)
	}
	if !s.recordsNothing && (recorded < s.acknowledged || recorded > s.acknowledged+s.failed) {
		err = errors.Join(err, fmt.Errorf("%s: %d events were acknowledged, and %d are recorded", s.name, s.acknowledged, recorded))
	}
	return recorded, err
}

func freeAddress(ctx context.Context) (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String(), nil
}
