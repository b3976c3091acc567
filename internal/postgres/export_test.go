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
