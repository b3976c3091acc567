package backup_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/backup"
	"github.com/versioner-io/versioner/internal/migrate"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

//nolint:gochecknoglobals // constants
var (
	discard = slog.New(slog.DiscardHandler)
	peppers = apikeys.Peppers{[]byte(strings.Repeat("p", 32))}
)

// newSource returns a database with accounts, keys and products, which a server has used.
func newSource(t *testing.T) string {
	t.Helper()
	dsn := testdb.New(t)
	fill(t, dsn)
	return dsn
}

func fill(t *testing.T, dsn string) {
	t.Helper()
	pool, err := postgres.Open(t.Context(), dsn, postgres.Observed{})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	keys := apikeys.New(pool, peppers, discard)
	require.NoError(t, keys.VerifyPepper(t.Context()))
	for i := range 3 {
		_, err := keys.CreateInAccount(t.Context(), fmt.Sprintf("account-%d", i), apikeys.NewKey{Name: "it's a \\ key"})
		require.NoError(t, err)
	}
	execute(t, dsn, addProduct)
}

const addProduct = `INSERT INTO products (account_id, id, name, created_at, updated_at) SELECT id, gen_random_uuid(), 'checkout', now(), now() FROM accounts`

func execute(t *testing.T, dsn, statement string) {
	t.Helper()
	_, err := connect(t, dsn).Exec(t.Context(), statement)
	require.NoError(t, err, statement)
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// newTarget returns an empty database.
func newTarget(t *testing.T) string {
	t.Helper()
	dsn := testdb.New(t)
	execute(t, dsn, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
	return dsn
}

// digest returns a digest of all rows of each table.
func digest(t *testing.T, dsn string) map[string]string {
	t.Helper()
	conn := connect(t, dsn)
	rows, _ := conn.Query(t.Context(), "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	digests := make(map[string]string)
	for _, table := range tables {
		var digest string
		require.NoError(t, conn.QueryRow(t.Context(), fmt.Sprintf("SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM ONLY %s AS t", table)).Scan(&digest))
		digests[table] = digest
	}
	return digests
}

func create(t *testing.T, dsn string, options backup.Options) []byte {
	t.Helper()
	var file bytes.Buffer
	_, err := backup.Create(t.Context(), dsn, &file, options)
	require.NoError(t, err)
	return file.Bytes()
}

func restore(t *testing.T, file []byte, dsn string, identities ...age.Identity) error {
	t.Helper()
	archive, err := backup.Open(bytes.NewReader(file), identities)
	if err != nil {
		return err
	}
	defer func() { require.NoError(t, archive.Close()) }()
	return backup.Restore(t.Context(), dsn, archive, discard)
}

func TestBackup(t *testing.T) {
	t.Parallel()
	source := newSource(t)
	file := create(t, source, backup.Options{Peppers: peppers})

	t.Run("RestoresEveryRow", func(t *testing.T) {
		t.Parallel()
		target := newTarget(t)
		require.NoError(t, restore(t, file, target))
		require.Equal(t, digest(t, source), digest(t, target))
		require.NoError(t, migrate.Check(t.Context(), target))
	})
	t.Run("ManifestCountsTheRows", func(t *testing.T) {
		t.Parallel()
		archive, err := backup.Open(bytes.NewReader(file), nil)
		require.NoError(t, err)
		require.NoError(t, archive.Close())
		manifest := archive.Manifest
		require.Equal(t, migrate.Version(), manifest.SchemaVersion)
		require.Contains(t, manifest.Tables, backup.Table{Name: "public.products", Rows: 3})
		require.Contains(t, manifest.Tables, backup.Table{Name: "public.events_default", Rows: 0})
		require.Contains(t, manifest.Tables, backup.Table{Name: "public.river_job", Rows: 0})
		require.NoError(t, manifest.CheckPepper(peppers))
		require.ErrorIs(t, manifest.CheckPepper(apikeys.Peppers{[]byte("another")}), backup.ErrPepperMismatch)
		require.ErrorIs(t, manifest.CheckPepper(nil), backup.ErrPepperMismatch)
		require.Nil(t, archive.Secrets)
	})
	t.Run("RejectsADatabaseWithTables", func(t *testing.T) {
		t.Parallel()
		target := newTarget(t)
		execute(t, target, "CREATE TABLE other (id int)")
		require.ErrorIs(t, restore(t, file, target), backup.ErrNotEmpty)
		require.Len(t, digest(t, target), 1)
	})
	t.Run("RejectsANewerSchema", func(t *testing.T) {
		t.Parallel()
		target := newTarget(t)
		newer := changeManifest(t, file, func(m *backup.Manifest) { m.SchemaVersion, m.Program = 99999, "9.8.7" })
		require.ErrorContains(t, restore(t, newer, target), "the schema of the backup has version 99999, newer than this program")
		require.ErrorContains(t, restore(t, newer, target), "restore it with version 9.8.7 of the program")
		require.Empty(t, digest(t, target))
	})
	t.Run("RejectsAnOlderPostgreSQL", func(t *testing.T) {
		t.Parallel()
		target := newTarget(t)
		newer := changeManifest(t, file, func(m *backup.Manifest) { m.PostgresMajor = 99 })
		require.ErrorContains(t, restore(t, newer, target), "the backup was made from PostgreSQL 99")
		require.Empty(t, digest(t, target))
	})
	t.Run("ReportsMissingRows", func(t *testing.T) {
		t.Parallel()
		more := changeManifest(t, file, func(m *backup.Manifest) {
			for i := range m.Tables {
				if m.Tables[i].Name == "public.products" {
					m.Tables[i].Rows++
				}
			}
		})
		require.ErrorContains(t, restore(t, more, newTarget(t)), "the restored database differs from the backup: public.products has 3 rows instead of 4")
	})
	t.Run("RejectsDamagedFiles", func(t *testing.T) {
		t.Parallel()
		target := newTarget(t)
		flipped := bytes.Clone(file)
		flipped[len(flipped)-5000] ^= 1
		format := changeManifest(t, file, func(m *backup.Manifest) { m.Format = 2 })
		for name, damaged := range map[string][]byte{
			"empty": nil, "text": []byte("not a backup"), "header": file[:100], "manifest": file[:1500], "half": file[:len(file)/2],
			"flipped": flipped, "format": format,
		} {
			require.ErrorContains(t, restore(t, damaged, target), "not a backup of this program, or it is truncated or damaged", name)
		}
		require.Empty(t, digest(t, target))
	})
	t.Run("RejectsAnotherPepper", func(t *testing.T) {
		t.Parallel()
		_, err := backup.Create(t.Context(), source, io.Discard, backup.Options{Peppers: apikeys.Peppers{[]byte("another")}})
		require.ErrorIs(t, err, backup.ErrPepperMismatch)
	})
	t.Run("RejectsADatabaseWithoutSchema", func(t *testing.T) {
		t.Parallel()
		_, err := backup.Create(t.Context(), newTarget(t), io.Discard, backup.Options{})
		require.EqualError(t, err, "back up the database: it has no schema of this program")
	})
}

func TestEncryption(t *testing.T) {
	t.Parallel()
	source := newSource(t)
	newIdentity := func() *age.X25519Identity {
		identity, err := age.GenerateX25519Identity()
		require.NoError(t, err)
		return identity
	}
	one, other, stranger := newIdentity(), newIdentity(), newIdentity()
	secrets := backup.Secrets{KeyPepper: string(peppers[0]), EncryptionKeys: "keys"}
	_, err := backup.Create(t.Context(), source, io.Discard, backup.Options{Secrets: &secrets})
	require.EqualError(t, err, "a backup with secrets has to be encrypted")

	file := create(t, source, backup.Options{Recipients: []age.Recipient{one.Recipient(), other.Recipient()}, Secrets: &secrets})
	require.NotContains(t, string(file), secrets.KeyPepper)
	for _, identity := range []age.Identity{one, other} {
		archive, err := backup.Open(bytes.NewReader(file), []age.Identity{stranger, identity})
		require.NoError(t, err)
		require.Equal(t, &secrets, archive.Secrets)
		require.NoError(t, archive.Close())
	}
	target := newTarget(t)
	require.ErrorContains(t, restore(t, file, target), "the backup is encrypted: name the file of an identity of one of its recipients with --identity")
	require.ErrorContains(t, restore(t, file, target, stranger), "the backup is encrypted for other recipients")
	flipped := bytes.Clone(file)
	flipped[len(flipped)/2] ^= 1
	for _, damaged := range [][]byte{file[:100], file[:len(file)/2], file[:len(file)-100], flipped} {
		require.ErrorContains(t, restore(t, damaged, target, one), "truncated or damaged")
	}
	require.Empty(t, digest(t, target))
	require.NoError(t, restore(t, file, target, one))
	require.Equal(t, digest(t, source), digest(t, target))
}

// TestSnapshot backs up a database while others write: the manifest and the dump are of one snapshot.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	source, target := newSource(t), newTarget(t)
	writing, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for range 2 {
		conn := connect(t, source)
		group.Go(func() {
			for writing.Err() == nil {
				_, _ = conn.Exec(writing, addProduct)
			}
		})
	}
	time.Sleep(50 * time.Millisecond)
	file := create(t, source, backup.Options{})
	stop()
	group.Wait()
	require.NoError(t, restore(t, file, target))
}

// TestOwners backs up a database as the owner of its tables, to whom row-level security applies, and restores it for another owner.
func TestOwners(t *testing.T) {
	t.Parallel()
	source, first := newOwnedDatabase(t)
	require.NoError(t, migrate.Up(t.Context(), source, discard))
	fill(t, source)
	target, second := newOwnedDatabase(t)
	require.NotEqual(t, first, second)
	file := create(t, source, backup.Options{})
	require.NoError(t, restore(t, file, target))
	require.Equal(t, digest(t, source), digest(t, target))
	require.Equal(t, "3", strings.Fields(digest(t, target)["products"])[0], "the owner sees the rows")
	var others int
	require.NoError(t, connect(t, target).QueryRow(t.Context(), "SELECT count(*) FROM pg_policy WHERE polname = 'owner_bypass' AND polroles <> ARRAY[current_user::regrole::oid]").Scan(&others))
	require.Zero(t, others)

	execute(t, source, "DROP POLICY owner_bypass ON products")
	_, err := backup.Create(t.Context(), source, io.Discard, backup.Options{})
	require.ErrorContains(t, err, "row-level security hides rows of products from this role")
}

// newOwnedDatabase returns an empty database of a role that is no superuser.
func newOwnedDatabase(t *testing.T) (dsn, owner string) {
	t.Helper()
	admin := testdb.New(t)
	var name string
	require.NoError(t, connect(t, admin).QueryRow(t.Context(), "SELECT current_database()").Scan(&name))
	owner = name + "_owner"
	execute(t, admin, fmt.Sprintf("DROP SCHEMA public CASCADE; CREATE ROLE %[1]s LOGIN CREATEROLE; GRANT versioner_app TO %[1]s WITH ADMIN OPTION; CREATE SCHEMA public AUTHORIZATION %[1]s; GRANT CREATE ON DATABASE %[2]s TO %[1]s", owner, name))
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), admin)
		require.NoError(t, err)
		defer func() { _ = conn.Close(context.Background()) }()
		_, err = conn.Exec(context.Background(), fmt.Sprintf("DROP OWNED BY %[1]s CASCADE; DROP ROLE %[1]s", owner))
		require.NoError(t, err)
	})
	if strings.Contains(admin, "://") {
		address, err := url.Parse(admin)
		require.NoError(t, err)
		address.User = url.User(owner)
		return address.String(), owner
	}
	return regexp.MustCompile(`user=\S+`).ReplaceAllString(admin, "user="+owner), owner
}

// changeManifest returns an archive with another manifest.
func changeManifest(t *testing.T, file []byte, change func(*backup.Manifest)) []byte {
	t.Helper()
	var changed bytes.Buffer
	reader, writer := tar.NewReader(bytes.NewReader(file)), tar.NewWriter(&changed)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		content, err := io.ReadAll(reader)
		require.NoError(t, err)
		if header.Name == "manifest.json" {
			var manifest backup.Manifest
			require.NoError(t, json.Unmarshal(content, &manifest))
			change(&manifest)
			content, err = json.Marshal(manifest)
			require.NoError(t, err)
			header.Size = int64(len(content))
		}
		require.NoError(t, writer.WriteHeader(header))
		_, err = writer.Write(content)
		require.NoError(t, err)
	}
	require.NoError(t, writer.Close())
	return changed.Bytes()
}
