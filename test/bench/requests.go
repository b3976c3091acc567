package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/jackc/pgx/v5"
)

// document is the specification, of which the requests are derived.
type document struct{ *openapi3.T }

func readDocument(path string) (*document, error) {
	read, err := openapi3.NewLoader().LoadFromFile(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return &document{T: read}, nil
}

// request is a read of an operation with filters. The values of its path and filters are names of a sample.
type request struct {
	path    string
	isList  bool
	filters []filter
}

// filter is a query parameter. Its value is a name of a sample, or a literal.
type filter struct{ parameter, value string }

func (r request) name() string {
	parts := make([]string, len(r.filters))
	for i, f := range r.filters {
		parts[i] = f.parameter + "=" + f.value
	}
	if len(parts) == 0 {
		return r.path
	}
	return r.path + "?" + strings.Join(parts, "&")
}

// requests returns a request for every operation of users that reads, with each value of each filter, and lists by status of a product and of an environment.
func (d *document) requests() ([]request, error) {
	var all []request
	for _, path := range slices.Sorted(maps.Keys(d.Paths.Map())) {
		item := d.Paths.Find(path)
		operation := item.Get
		if operation == nil || strings.HasPrefix(path, "/auth/") || operation.Security == nil || !isForUsers(*operation.Security) {
			continue
		}
		r := request{path: path, isList: operation.Parameters.GetByInAndName(openapi3.ParameterInQuery, "cursor") != nil}
		if strings.Contains(path, "{") && sampleOfPath(path) == "" {
			continue // an object that does not depend on the number of deployments
		}
		all = append(all, r)
		values := map[string][]string{}
		for _, ref := range operation.Parameters {
			p := ref.Value
			if p.In != openapi3.ParameterInQuery || p.Name == "limit" || p.Name == "cursor" {
				continue
			}
			var err error
			if values[p.Name], err = valuesOf(p); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			for _, value := range values[p.Name] {
				all = append(all, request{path: path, isList: r.isList, filters: []filter{{p.Name, value}}})
			}
		}
		for _, name := range []string{"product", "environment"} {
			for _, value := range values[name] {
				for _, status := range values["status"] {
					all = append(all, request{path: path, isList: r.isList, filters: []filter{{name, value}, {"status", status}}})
				}
			}
		}
	}
	return all, nil
}

// isForUsers reports whether an operation accepts session tokens.
func isForUsers(requirements openapi3.SecurityRequirements) bool {
	return slices.ContainsFunc(requirements, func(requirement openapi3.SecurityRequirement) bool {
		_, ok := requirement["JWTAuth"]
		return ok
	})
}

// sampleOfPath returns the name of the sample that a path has the identifier of; empty: none.
func sampleOfPath(path string) string {
	for prefix, sample := range map[string]string{
		"/deployments/{": "deployment", "/builds/{": "build", "/versions/{": "version_id", "/releases/{": "release", "/products/{": "product_id",
		"/environments/{": "environment_id",
	} {
		if strings.HasPrefix(path, prefix) {
			return sample
		}
	}
	return ""
}

// valuesOf returns values of a filter that many, few and no objects have.
func valuesOf(p *openapi3.Parameter) ([]string, error) {
	if values := p.Schema.Value.Enum; len(values) > 0 {
		names := make([]string, len(values))
		for i, value := range values {
			names[i] = fmt.Sprint(value)
		}
		return names, nil
	}
	values, ok := map[string][]string{
		"product":        {"checkout-service-03", ":steady_product"},
		"environment":    {"production", "archive"},
		"version":        {":version", "none-such"},
		"scm_sha":        {":scm_sha", "ffffffffffff"},
		"q":              {"e", "0.", ":version", "none-such"},
		"from":           {":middle"},
		"rule":           {":none"},
		"rule_id":        {":none"},
		"since":          {":middle"},
		"until":          {":middle"},
		"actor_id":       {":actor", ":rare_actor", ":none"},
		"action":         {"product.updated", "product.deleted", "none-such"},
		"object_id":      {":product_id", ":rare_object", ":none"},
		"channel_id":     {":channel", ":rare_channel", ":none"},
		"event_type":     {"deployment.completed", "build.aborted", "none-such"},
		"environment_id": {":none"},
		"version_id":     {":released_version", ":version_id"},
	}[p.Name]
	if !ok {
		return nil, fmt.Errorf("add values of the filter %q", p.Name)
	}
	return values, nil
}

// sample holds values of an account, by name.
type sample map[string]string

// readSample reads values amid the rows of an account.
func readSample(ctx context.Context, dsn, slug string) (sample, error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var text []byte
	err = conn.QueryRow(ctx, `WITH a AS (SELECT id FROM accounts WHERE slug = $1), bounds AS (
		SELECT min(occurred_at) + (max(occurred_at) - min(occurred_at)) / 2 AS middle FROM deployments AS d, a WHERE d.account_id = a.id AND d.source_system = 'github' AND d.invoke_id !~ '^1642'),
	d AS (SELECT d.*, b.middle FROM deployments AS d, a, bounds AS b WHERE d.account_id = a.id AND d.occurred_at >= b.middle ORDER BY d.occurred_at LIMIT 1),
	v AS (SELECT v.* FROM versions AS v, a, d WHERE v.account_id = a.id AND v.id = d.version_id),
	r AS (SELECT r.id FROM releases AS r, a WHERE r.account_id = a.id ORDER BY r.created_at OFFSET 20 LIMIT 1)
	SELECT jsonb_build_object('middle', to_char(d.middle AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'deployment', d.id, 'product_id', d.product_id,
		'environment_id', d.environment_id, 'version_id', v.id, 'version', v.version, 'scm_sha', v.scm_sha, 'build', v.latest_build_id, 'release', r.id,
		'released_version', (SELECT x.version_id FROM release_versions AS x WHERE x.account_id = d.account_id AND x.release_id = r.id ORDER BY x.product_id LIMIT 1),
		'channel', (SELECT c.id FROM notification_channels AS c WHERE c.account_id = d.account_id AND c.name = 'channel 1'),
		'rare_channel', (SELECT c.id FROM notification_channels AS c WHERE c.account_id = d.account_id AND c.name = 'channel 2'),
		'steady_product', 'checkout-service-00', 'actor', md5('actor3')::uuid, 'rare_actor', md5('actor-1')::uuid, 'rare_object', md5('object')::uuid,
		'none', gen_random_uuid())
	FROM d, v, r`, slug).Scan(&text)
	if err != nil {
		return nil, fmt.Errorf("read values of %s: %w", slug, err)
	}
	values := sample{}
	if err := json.Unmarshal(text, &values); err != nil {
		return nil, fmt.Errorf("read values of %s: %w", slug, err)
	}
	return values, nil
}

// of returns a value: a name after a colon, else a literal.
func (s sample) of(value string) string {
	if name, ok := strings.CutPrefix(value, ":"); ok {
		return s[name]
	}
	return value
}

// target is an account on a server.
type target struct {
	*grown

	account string
	tenant  *tenant
	sample  sample
}

// address returns the address of a page of a request.
func (t *target) address(r request, limit int, cursor string) string {
	path := r.path
	if before, after, ok := strings.Cut(path, "{id}"); ok {
		path = before + t.sample[sampleOfPath(path)] + after
	}
	query := url.Values{}
	for _, f := range r.filters {
		query.Set(f.parameter, t.sample.of(f.value))
	}
	if r.isList {
		query.Set("limit", strconv.Itoa(limit))
	}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	address := "http://" + t.server.address + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	return address
}

// get reads a page, and returns its items, the next cursor and the time that it took.
func (t *target) get(ctx context.Context, address string) (items int, next string, took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return 0, "", 0, fmt.Errorf("GET %s: %w", address, err)
	}
	request.Header.Set("Authorization", "Bearer "+t.tenant.token)
	request.Header.Set("Accept-Encoding", "identity")
	began := time.Now()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", 0, fmt.Errorf("GET %s: %w", address, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	took = time.Since(began)
	if err != nil {
		return 0, "", 0, fmt.Errorf("GET %s: %w", address, err)
	}
	if response.StatusCode != http.StatusOK {
		return 0, "", 0, errors.Join(fmt.Errorf("GET %s was answered %d: %.300s", address, response.StatusCode, body), t.server.logTail())
	}
	var page struct {
		Items      []json.RawMessage `json:"items"`
		NextCursor *string           `json:"next_cursor"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return 0, "", 0, fmt.Errorf("GET %s: read the answer: %w", address, err)
	}
	if page.NextCursor != nil {
		next = *page.NextCursor
	}
	return len(page.Items), next, took, nil
}

const (
	pageItems = 50
	pageMost  = 200 // the largest limit

	sharedFor = 2500 * time.Millisecond // a server answers equal requests of an account with the same bytes for a shorter time
)

// read is a request to an account, and its measured times.
type read struct {
	request

	target *target
	items  int    // the limit: as many as every compared account has
	deep   string // the cursor of the later page; empty: there is none
	first  []float64
	later  []float64
}

// measureReads measures every request on every size: each pass sends every request once, so that noise affects all of them, and no answer is
// still shared from the pass before.
func (g *growth) measureReads(ctx context.Context) error {
	requests, err := g.document.requests()
	if err != nil {
		return err
	}
	var targets []*target
	for _, d := range g.sizes {
		for account, t := range map[string]*tenant{"large": d.large, "small": d.small} {
			values, err := readSample(ctx, d.dsn, t.slug)
			if err != nil {
				return err
			}
			targets = append(targets, &target{grown: d, account: account, tenant: t, sample: values})
		}
	}
	slices.SortFunc(targets, func(a, b *target) int { return strings.Compare(a.account, b.account)*1_000_000_000 + a.size - b.size })
	var reads []*read
	for i, r := range requests {
		if i%25 == 0 {
			g.bench.logf("finding page %d: request %d of %d", g.Page, i+1, len(requests))
		}
		of, err := g.prepareReads(ctx, r, targets)
		if err != nil {
			return err
		}
		reads = append(reads, of...)
	}
	g.bench.logf("%d requests, %d passes", len(reads), g.Requests)
	for pass := range g.Requests {
		began := time.Now()
		for _, r := range reads {
			if err := r.measure(ctx); err != nil {
				return err
			}
		}
		if rest := sharedFor - time.Since(began); rest > 0 {
			if err := sleep(ctx, rest); err != nil {
				return err
			}
		}
		if pass%10 == 9 {
			g.bench.logf("pass %d of %d", pass+1, g.Requests)
		}
	}
	g.report.addReads(requests, reads, g.sizes)
	return nil
}

// prepareReads finds how many items every account has for a request, and where its later page begins.
func (g *growth) prepareReads(ctx context.Context, r request, targets []*target) ([]*read, error) {
	items := pageItems
	for _, t := range targets {
		found, _, took, err := t.get(ctx, t.address(r, pageItems, ""))
		if err != nil {
			return nil, err
		}
		if took > time.Second {
			g.bench.logf("%s, %s account, %s: %v for the first request", t.name, t.account, r.name(), took)
		}
		items = min(items, max(found, 1))
	}
	reads := make([]*read, len(targets))
	for i, t := range targets {
		reads[i] = &read{request: r, target: t, items: items}
		if r.isList && t.account == "large" {
			var err error
			if reads[i].deep, err = t.walk(ctx, r, items, g.Page); err != nil {
				return nil, err
			}
		}
	}
	return reads, nil
}

// walk returns the cursor of a later page, if it is full.
func (t *target) walk(ctx context.Context, r request, items, page int) (string, error) {
	cursor := ""
	for left := (page - 1) * items; left > 0; {
		limit := min(left, pageMost)
		found, next, _, err := t.get(ctx, t.address(r, limit, cursor))
		if err != nil || found < limit || next == "" {
			return "", err
		}
		left -= limit
		cursor = next
	}
	found, _, _, err := t.get(ctx, t.address(r, items, cursor))
	if err != nil || found < items {
		return "", err
	}
	return cursor, nil
}

func (r *read) measure(ctx context.Context) error {
	_, _, took, err := r.target.get(ctx, r.target.address(r.request, r.items, ""))
	if err != nil {
		return err
	}
	r.first = append(r.first, milliseconds(took))
	if r.deep != "" {
		if _, _, took, err = r.target.get(ctx, r.target.address(r.request, r.items, r.deep)); err != nil {
			return err
		}
		r.later = append(r.later, milliseconds(took))
	}
	return nil
}
