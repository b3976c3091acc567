package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// bulkSettings are those of PostgreSQL while databases are filled. A crash would lose them.
func bulkSettings() map[string]string {
	return map[string]string{
		"max_connections": maxConnections, "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "wal_level": "minimal", "max_wal_senders": "0",
		"max_wal_size": "8GB", "shared_buffers": "2GB", "maintenance_work_mem": "1GB", "work_mem": "256MB", "autovacuum": "off", "checkpoint_timeout": "30min",
	}
}

// prepare fills the databases, and then starts PostgreSQL with the settings of production, and a server for each.
func (g *growth) prepare(ctx context.Context) (err error) {
	b := g.bench
	b.logf("starting PostgreSQL to fill databases")
	if b.postgres, err = launchPostgres(ctx, b.dir, bulkSettings()); err != nil {
		return err
	}
	filled, err := g.readFilled()
	if err != nil {
		return err
	}
	for _, size := range g.Sizes {
		if of, ok := filled.Sizes[size]; ok {
			if err := g.reuse(ctx, size, of); err != nil {
				return err
			}
			continue
		}
		if err := g.fill(ctx, size); err != nil {
			return fmt.Errorf("fill %d deployments: %w", size, err)
		}
		if err := g.writeFilled(filled); err != nil {
			return err
		}
	}
	if err := g.copyVariants(ctx); err != nil {
		return err
	}
	for _, s := range b.servers {
		s.process.stop()
	}
	b.servers = nil
	if err := b.postgres.stop(ctx); err != nil {
		return err
	}
	b.logf("starting PostgreSQL to measure")
	settings := map[string]string{"max_connections": maxConnections}
	maps.Copy(settings, g.Settings)
	if b.postgres, err = launchPostgres(ctx, b.dir, settings); err != nil {
		return err
	}
	if err := b.postgres.inspect(ctx); err != nil {
		return err
	}
	if g.Requests == 0 && g.Runs == 0 {
		return nil
	}
	for _, d := range g.sizes {
		if d.server, err = startServer(ctx, command{name: d.name, program: g.Server, args: []string{"serve"}, dsn: d.dsn}, b.keys, b.dir); err != nil {
			return err
		}
		b.servers = append(b.servers, d.server)
		for _, t := range d.tenants() {
			t.useKey(d.server.address, t.key)
		}
		if err := g.settle(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until the server has done its hourly maintenance, which deletes the fingerprints of more than a day ago.
func (g *growth) settle(ctx context.Context, d *grown) error {
	conn, err := pgx.Connect(ctx, d.dsn)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	began := time.Now()
	for expired := true; expired; {
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
		err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM event_fingerprints WHERE received_at < now() - interval '25 hours')
			OR EXISTS (SELECT FROM river_job WHERE kind = 'maintenance' AND state <> 'completed')`).Scan(&expired)
		if err != nil {
			return fmt.Errorf("wait for the maintenance: %w", err)
		}
	}
	g.bench.logf("%s: the first maintenance took %v", d.name, time.Since(began).Round(time.Second))
	return execute(ctx, d.dsn, nil, "VACUUM (ANALYZE) event_fingerprints")
}

func databaseName(size int) string { return "growth_" + strconv.Itoa(size) }

// filled is what a directory of filled databases is used with.
type filled struct {
	Pepper        string                    `json:"pepper"`
	EncryptionKey string                    `json:"encryption_key"`
	SigningKey    []byte                    `json:"signing_key"` // PKCS #1
	Sizes         map[int]map[string]string `json:"sizes"`       // API keys by the slug of their account
}

func (g *growth) filledFile() string { return filepath.Join(g.bench.dir, "filled.json") }

// readFilled reads what an earlier run has written, and takes over its keys.
func (g *growth) readFilled() (filled, error) {
	f := filled{Sizes: map[int]map[string]string{}}
	text, err := os.ReadFile(g.filledFile())
	if errors.Is(err, os.ErrNotExist) {
		return f, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	if err == nil {
		g.bench.keys, err = restoreSecrets(f.Pepper, f.EncryptionKey, f.SigningKey)
	}
	if err != nil {
		return f, fmt.Errorf("read %s: %w", g.filledFile(), err)
	}
	return f, nil
}

func (g *growth) writeFilled(f filled) error {
	keys := g.bench.keys
	f.Pepper, f.EncryptionKey, f.SigningKey = keys.pepper, keys.encryptionKey, x509.MarshalPKCS1PrivateKey(keys.issuer.key)
	for _, d := range g.sizes {
		f.Sizes[d.size] = map[string]string{}
		for _, t := range d.tenants() {
			f.Sizes[d.size][t.slug] = t.key
		}
	}
	text, err := json.Marshal(f)
	if err == nil {
		err = os.WriteFile(g.filledFile(), text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", g.filledFile(), err)
	}
	return nil
}

// reuse finds a database that an earlier run has filled, and migrates it.
func (g *growth) reuse(ctx context.Context, size int, keys map[string]string) error {
	dsn, err := g.bench.postgres.database(databaseName(size))
	if err != nil {
		return err
	}
	began := time.Now()
	migrate, err := startProcess(ctx, g.Server, []string{"migrate", "up"}, []string{"DATABASE_URL=" + dsn}, g.bench.progress)
	if err != nil {
		return err
	}
	if err := migrate.wait(); err != nil {
		return fmt.Errorf("migrate %s: %w", databaseName(size), err)
	}
	g.bench.logf("%s: migrations took %v", databaseName(size), time.Since(began).Round(time.Second))
	if err := execute(ctx, dsn, nil, "VACUUM (ANALYZE)"); err != nil {
		return fmt.Errorf("vacuum: %w", err)
	}
	var tenants []*tenant
	for _, slug := range accountSlugs() {
		token, err := g.bench.keys.issuer.token(slug, time.Now())
		if err != nil {
			return err
		}
		t := newTenant(slug, token)
		t.key = keys[slug]
		tenants = append(tenants, t)
	}
	g.sizes = append(g.sizes, &grown{name: databaseName(size), size: size, dsn: dsn, large: tenants[0], small: tenants[1], ordinary: tenants[2:]})
	return nil
}

// accountSlugs returns the accounts that are created by requests.
func accountSlugs() []string {
	slugs := []string{largeAccount, smallAccount}
	for i := range ingestAccounts {
		slugs = append(slugs, fmt.Sprintf("growth-%02d", i+1))
	}
	return slugs
}

// fill creates a database of a size. A server creates the schema, and the accounts that are measured.
func (g *growth) fill(ctx context.Context, size int) error {
	b := g.bench
	name := databaseName(size)
	began := time.Now()
	dsn, err := b.postgres.createDatabase(ctx, name)
	if err != nil {
		return err
	}
	s, err := startServer(ctx, command{name: name, program: g.Server, args: []string{"serve"}, dsn: dsn}, b.keys, b.dir)
	if err != nil {
		return err
	}
	b.servers = append(b.servers, s)
	slugs := accountSlugs()
	tenants, err := createTenants(ctx, s, b.keys, slugs)
	if err != nil {
		return err
	}
	if err := s.seed(ctx, tenants, b.ids); err != nil {
		return err
	}
	s.process.stop()
	if err := g.fillRows(ctx, dsn, size, slugs); err != nil {
		return err
	}
	g.sizes = append(g.sizes, &grown{name: databaseName(size), size: size, dsn: dsn, large: tenants[0], small: tenants[1], ordinary: tenants[2:]})
	b.logf("filled %d deployments in %v", size, time.Since(began).Round(time.Second))
	return nil
}

// fillRows runs fill.sql: all steps of one number together.
func (g *growth) fillRows(ctx context.Context, dsn string, size int, slugs []string) error {
	text, err := sqlFiles.ReadFile("fill.sql")
	if err != nil {
		return fmt.Errorf("read fill.sql: %w", err)
	}
	now := time.Now()
	settings := map[string]string{
		"bench.deployments": strconv.Itoa(size), "bench.accounts": strings.Join(slugs, ","), "bench.now": now.Format(time.RFC3339),
		"session_replication_role": "replica", // the rows are consistent: foreign keys need not be checked
	}
	var partitions strings.Builder
	partitions.WriteString("SET timezone = 'UTC';")
	for month := time.Date(now.Year(), now.Month()-6, 1, 0, 0, 0, 0, time.UTC); month.Before(now.AddDate(0, -1, 0)) || month.Month() != now.UTC().Month(); month = month.AddDate(0, 1, 0) {
		fmt.Fprintf(&partitions, "CREATE TABLE %s PARTITION OF events FOR VALUES FROM ('%s') TO ('%s');",
			month.Format("events_2006_01"), month.Format(time.RFC3339), month.AddDate(0, 1, 0).Format(time.RFC3339))
	}
	if err := execute(ctx, dsn, nil, partitions.String()); err != nil {
		return fmt.Errorf("create partitions: %w", err)
	}
	steps := strings.Split(string(text), "\n-- step ")
	for len(steps) > 0 {
		number := steps[0]
		number = strings.TrimPrefix(number, "-- step ")[:1]
		together := 0
		for together < len(steps) && strings.TrimPrefix(steps[together], "-- step ")[:1] == number {
			together++
		}
		group, groupCtx := errgroup.WithContext(ctx)
		for _, step := range steps[:together] {
			text := "-- step " + strings.TrimPrefix(step, "-- step ")
			for part := range partsOf(step) {
				settings := maps.Clone(settings)
				settings["bench.part"] = strconv.Itoa(part)
				group.Go(func() error { return execute(groupCtx, dsn, settings, text) })
			}
		}
		if err := group.Wait(); err != nil {
			return fmt.Errorf("step %s: %w", number, err)
		}
		g.bench.logf("%d deployments: step %s", size, number)
		steps = steps[together:]
	}
	if err := execute(ctx, dsn, nil, "VACUUM (ANALYZE)"); err != nil {
		return fmt.Errorf("vacuum: %w", err)
	}
	return nil
}

func partsOf(step string) int {
	title, _, _ := strings.Cut(step, "\n")
	if strings.Contains(title, "in parts") {
		return fillParts
	}
	return 1
}

// copyVariants copies the largest database for each variant, and applies it there.
func (g *growth) copyVariants(ctx context.Context) error {
	if len(g.Variants) == 0 {
		return nil
	}
	base := g.sizes[len(g.sizes)-1]
	g.sizes = []*grown{base}
	for i, v := range g.Variants {
		name := fmt.Sprintf("growth_variant_%d", i+1)
		if err := execute(ctx, g.bench.postgres.dsn, nil, "DROP DATABASE IF EXISTS "+name+"; "); err != nil {
			return err
		}
		if err := execute(ctx, g.bench.postgres.dsn, nil, "CREATE DATABASE "+name+" TEMPLATE "+base.name); err != nil {
			return err
		}
		dsn, err := g.bench.postgres.database(name)
		if err != nil {
			return err
		}
		if err := execute(ctx, dsn, nil, v.sql); err != nil {
			return fmt.Errorf("variant %s: %w", v.name, err)
		}
		if err := execute(ctx, dsn, nil, "VACUUM (ANALYZE)"); err != nil {
			return fmt.Errorf("variant %s: %w", v.name, err)
		}
		d := &grown{name: v.name, size: base.size, dsn: dsn, large: base.large.clone(), small: base.small.clone()}
		for _, t := range base.ordinary {
			d.ordinary = append(d.ordinary, t.clone())
		}
		g.sizes = append(g.sizes, d)
	}
	base.name = "as it is"
	return nil
}
