package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
)

const seedConnections = 64

// createTenants creates accounts with an API key each. The first request with a token of an organisation creates its account.
func createTenants(ctx context.Context, s *server, keys *secrets, slugs []string) ([]*tenant, error) {
	tenants := make([]*tenant, len(slugs))
	for i, slug := range slugs {
		token, err := keys.issuer.token(slug, time.Now())
		if err != nil {
			return nil, err
		}
		tenants[i] = newTenant(slug, token)
		if err := s.call(ctx, http.MethodGet, "/products/", token, nil, nil); err != nil {
			return nil, err
		}
		var created struct {
			Key string `json:"key"`
		}
		if err := s.call(ctx, http.MethodPost, "/api-keys/", token, map[string]any{"name": "bench"}, &created); err != nil {
			return nil, err
		}
		tenants[i].useKey(s.address, created.Key)
	}
	return tenants, nil
}

// seed deploys every pair of every account once, so that products and environments exist before anything is measured.
func (s *server) seed(ctx context.Context, tenants []*tenant, ids *runIDs) error {
	l, err := startLoad(ctx, s.address, seedStreams(seedConnections, tenants, ids))
	if err != nil {
		return err
	}
	s.count(l.wait())
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	if s.failed > 0 {
		return errors.Join(fmt.Errorf("%s: %d events were not answered 200; the first: %s", s.name, s.failed, s.firstFailure), s.logTail())
	}
	return nil
}

// subscribe creates a webhook channel and a preference for every completed deployment. The server has no worker that delivers.
func (s *server) subscribe(ctx context.Context, t *tenant) error {
	var channel struct {
		ID string `json:"id"`
	}
	err := s.call(ctx, http.MethodPost, "/notification-channels/", t.token, map[string]any{
		"name": "bench", "channel_type": "webhook", "config": map[string]any{"url": "http://127.0.0.1:8099/"},
	}, &channel)
	if err != nil {
		return err
	}
	return s.call(ctx, http.MethodPost, "/notification-preferences/", t.token, map[string]any{
		"channel_id": channel.ID, "event_type": "deployment.completed",
	}, nil)
}

// hasFanOut reports whether events of an account are queued for notification.
func (s *server) hasFanOut(ctx context.Context, t *tenant) (has bool, err error) {
	conn, err := pgx.Connect(ctx, s.dsn)
	if err != nil {
		return false, fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM river_job, jsonb_array_elements(args -> 'events') AS event
		WHERE kind = 'fan_out_events' AND event ->> 'account_id' = (SELECT id::text FROM accounts WHERE slug = $1))`, t.slug).Scan(&has)
	if err != nil {
		return false, fmt.Errorf("read the queue: %w", err)
	}
	return has, nil
}

// call sends a request with a user's token and decodes the answer.
func (s *server) call(ctx context.Context, method, path, token string, body, answer any) error {
	var content io.Reader = http.NoBody
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
		content = bytes.NewReader(text)
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://"+s.address+path, content)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusCreated {
		return errors.Join(fmt.Errorf("%s %s was answered %d: %.300s", method, path, response.StatusCode, text), s.logTail())
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	}
	return nil
}
