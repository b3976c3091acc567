package postgres

import "context"

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

// Plans is how often each kind of plan was used for the named query, on the pool's one connection.
func (p *Pool) Plans(ctx context.Context, query string) (generic, custom int, err error) {
	err = p.pool.QueryRow(ctx, `SELECT sum(generic_plans), sum(custom_plans) FROM pg_prepared_statements WHERE starts_with(statement, $1)`,
		"-- name: "+query+" ").Scan(&generic, &custom)
	return generic, custom, err
}

// Connections is how many the pool has made.
func (p *Pool) Connections() int { return int(p.pool.Stat().NewConnsCount()) }
