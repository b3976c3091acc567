package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Statements runs SQL that is not generated.
type Statements interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Conn returns the connection of the handle or of its transaction.
func (d *DB) Conn() Statements { return d.conn }

// WithoutTenant returns the pool, on which a statement has no tenant.
func (p *TenantPool) WithoutTenant() Statements { return p.pool }

// Setting is what a setting is on a connection of the pool.
func (p *Pool) Setting(ctx context.Context, name string) (value string, err error) {
	err = p.pool.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value)
	return value, err
}

// Sleep leaves a transaction idle.
func (d *DB) Sleep(ctx context.Context, sleep func()) error {
	return d.WithTx(ctx, func(tx *DB) error {
		sleep()
		_, err := tx.conn.Exec(ctx, "SELECT 1")
		return err
	})
}

// Plans returns how often each kind of plan was used for the named query, on the pool's one connection.
func (p *TenantPool) Plans(ctx context.Context, query string) (generic, custom int, err error) {
	err = p.pool.QueryRow(ctx, `SELECT sum(generic_plans), sum(custom_plans) FROM pg_prepared_statements WHERE starts_with(statement, $1)`,
		"-- name: "+query+" ").Scan(&generic, &custom)
	return generic, custom, err
}

// Connections returns how many connections the pool has made.
func (p *TenantPool) Connections() int { return int(p.pool.Stat().NewConnsCount()) }
