package postgres

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// replacedLibrary matches what PostgreSQL reports of a library that is missing or was built for another release.
var replacedLibrary = regexp.MustCompile(`could not (load|access|find|open)|undefined symbol|incompatible library`)

// CheckBinaries opens a connection outside of the pool and makes it load a library of the installation. The error is not nil when
// the installation was replaced under the running server: existing connections work, new ones do not. Other failures are left to
// Ready.
func (c connections) CheckBinaries(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, c.pool.Config().ConnConfig)
	if err == nil {
		defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
		_, err = conn.Exec(ctx, "DO $$ BEGIN END $$")
	}
	failure, ok := errors.AsType[*pgconn.PgError](err)
	if ok && (failure.Code == "58P01" || replacedLibrary.MatchString(failure.Message)) {
		return fmt.Errorf("the installation of PostgreSQL was replaced while it runs, restart it: %w", err)
	}
	return nil
}
