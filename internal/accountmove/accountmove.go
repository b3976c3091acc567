// Package accountmove moves one account between databases: Export locks it and writes its rows to a file, Import inserts them into another
// database, and both compare the number of rows of each table and a hash of them. The tables are those of the catalogue that have an account_id.
package accountmove

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/versioner-io/versioner/internal/ingest"
)

const (
	format       = 1
	manifestName = "manifest.json"
	jobsName     = "jobs.json"
	tableSuffix  = ".copy"
	accounts     = "accounts"

	// heldQueue has the jobs of an account that is moved: no server works on it.
	heldQueue = "moving"
)

// workQueues have the jobs of accounts.
var workQueues = []string{ingest.JobQueue, ingest.ObserveQueue, ingest.EmailQueue} //nolint:gochecknoglobals // a constant list

// stays lists tables whose rows are not moved. Sessions: their cookies belong to the host name of the cell, and users sign in at the other one.
var stays = []string{"user_sessions"} //nolint:gochecknoglobals // a constant table

// Manifest describes an exported account.
type Manifest struct {
	Format        int       `json:"format"`
	CreatedAt     time.Time `json:"created_at"`
	Program       string    `json:"program"` // its version
	SchemaVersion int64     `json:"schema_version"`
	AccountID     uuid.UUID `json:"account_id"`
	Slug          string    `json:"slug"`

	Tables []Table `json:"tables"` // in the order of their foreign keys
	Jobs   int     `json:"jobs"`   // that have not ended

	FirstEventAt *time.Time `json:"first_event_at"`
	LastEventAt  *time.Time `json:"last_event_at"`
	PepperIDs    [][]byte   `json:"pepper_ids"` // of the peppers that its API keys and calendar feeds are hashed with
	KeyIDs       [][]byte   `json:"key_ids"`    // of the encryption keys that its secrets are encrypted with
}

// Table is a table with the rows of the account.
type Table struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Rows    int64    `json:"rows"`
	Hash    string   `json:"hash"`
}

// Rows returns the number of rows of all tables.
func (m Manifest) Rows() (rows int64) {
	for _, table := range m.Tables {
		rows += table.Rows
	}
	return rows
}

// catalogued is a table of the catalogue that has rows of accounts.
type catalogued struct {
	name       string
	columns    []string // without generated ones
	primaryKey []string
	late       []string // columns that are null until all tables have their rows, as they refer to a table that comes later
	references []reference
}

// reference is a foreign key.
type reference struct {
	to      string
	columns []string // without those that cannot be null
	isLate  bool
}

// sanitize quotes a name.
func sanitize(name string) string { return pgx.Identifier{name}.Sanitize() }

// filter is the condition for the rows of an account.
func (c catalogued) filter() string {
	if c.name == accounts {
		return "id = $1"
	}
	return "account_id = $1"
}

const listTables = `SELECT c.relname::text,
  array(SELECT a.attname::text FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum),
  array(SELECT a.attname::text FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey) WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY a.attnum)
FROM pg_class AS c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND (c.relname = 'accounts'
  OR EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'account_id' AND NOT a.attisdropped))
ORDER BY c.relname`

const listReferences = `SELECT c.conrelid::regclass::text, c.confrelid::regclass::text,
  array(SELECT a.attname::text FROM pg_attribute AS a WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey) AND NOT a.attnotnull ORDER BY a.attnum)
FROM pg_constraint AS c
WHERE c.contype = 'f' AND c.connamespace = current_schema()::regnamespace AND c.conparentid = 0 AND c.conrelid <> c.confrelid`

// readCatalogue returns the tables in an order in which their rows can be inserted.
func readCatalogue(ctx context.Context, tx pgx.Tx) ([]catalogued, error) {
	rows, _ := tx.Query(ctx, listTables)
	tables, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c catalogued, err error) {
		return c, row.Scan(&c.name, &c.columns, &c.primaryKey)
	})
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	byName := make(map[string]*catalogued, len(tables))
	for i := range tables {
		byName[tables[i].name] = &tables[i]
	}
	rows, _ = tx.Query(ctx, listReferences)
	var from string
	var to reference
	_, err = pgx.ForEachRow(rows, []any{&from, &to.to, &to.columns}, func() error {
		if table := byName[from]; table != nil && byName[to.to] != nil {
			table.references = append(table.references, to)
		}
		to.columns = nil
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the foreign keys: %w", err)
	}
	return sortTables(tables)
}

// sortTables puts each table behind those that it refers to. A cycle is cut at a foreign key whose columns may be null: these are
// filled in at the end.
func sortTables(tables []catalogued) ([]catalogued, error) {
	var sorted []catalogued
	placed := make(map[string]bool)
	isReady := func(table catalogued) bool {
		for _, reference := range table.references {
			if !reference.isLate && !placed[reference.to] {
				return false
			}
		}
		return true
	}
	for len(sorted) < len(tables) {
		progress := false
		for _, table := range tables {
			if !placed[table.name] && isReady(table) {
				sorted, placed[table.name], progress = append(sorted, table), true, true
			}
		}
		if !progress && !cutCycle(tables, placed) {
			return nil, errors.New("the foreign keys of the tables form a cycle without a column that may be null")
		}
	}
	return sorted, nil
}

// cutCycle makes one foreign key late that is a part of a cycle.
func cutCycle(tables []catalogued, placed map[string]bool) bool {
	for i := range tables {
		for j := range tables[i].references {
			reference := &tables[i].references[j]
			if placed[tables[i].name] || reference.isLate || len(reference.columns) == 0 || !reaches(tables, placed, reference.to, tables[i].name, nil) {
				continue
			}
			reference.isLate = true
			tables[i].late = append(tables[i].late, reference.columns...)
			return true
		}
	}
	return false
}

// reaches reports whether foreign keys lead from a table to another one.
func reaches(tables []catalogued, placed map[string]bool, from, to string, visited map[string]bool) bool {
	if from == to {
		return true
	}
	if visited == nil {
		visited = make(map[string]bool)
	}
	if placed[from] || visited[from] {
		return false
	}
	visited[from] = true
	for _, table := range tables {
		if table.name != from {
			continue
		}
		for _, reference := range table.references {
			if !reference.isLate && reaches(tables, placed, reference.to, to, visited) {
				return true
			}
		}
	}
	return false
}

// textSettings make the text of a value the same on both sides.
const textSettings = `SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'postgres'; SET LOCAL extra_float_digits = 1;
SET LOCAL bytea_output = 'hex'; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0`

// sum returns the number of rows of the account and a hash of them that does not depend on their order.
func sum(ctx context.Context, tx pgx.Tx, table catalogued, expressions string, account uuid.UUID) (rows int64, hash string, err error) {
	err = tx.QueryRow(ctx, "SELECT count(*), coalesce(sum(('x' || left(encode(sha256(convert_to(ROW("+expressions+")::text, 'UTF8')), 'hex'), 15))::bit(60)::bigint::numeric), 0)::text FROM "+
		sanitize(table.name)+" WHERE "+table.filter(), account).Scan(&rows, &hash)
	if err != nil {
		return 0, "", fmt.Errorf("hash the rows of %s: %w", table.name, err)
	}
	return rows, hash, nil
}

// job is a job of the queue that has not ended.
type job struct {
	Kind        string          `json:"kind"`
	Args        json.RawMessage `json:"args"`
	Priority    int16           `json:"priority"`
	MaxAttempts int16           `json:"max_attempts"`
	Metadata    json.RawMessage `json:"metadata"`
	ScheduledAt time.Time       `json:"scheduled_at"`
}
