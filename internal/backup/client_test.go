package backup_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/backup"
)

// TestLibpqDSN requires that no password becomes an argument of a program.
func TestLibpqDSN(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string][2]string{
		"postgres://ann:p%40ss@db.example.com:5432/versioner?sslmode=verify-full&pool_max_conns=5": {"postgres://ann@db.example.com:5432/versioner?sslmode=verify-full", "p@ss"},
		"postgresql://ann@/versioner?host=%2Fvar%2Frun&password=secret":                            {"postgresql://ann@/versioner?host=%2Fvar%2Frun", "secret"},
		"postgres://db.example.com/versioner?application_name=a+b":                                 {"postgres://db.example.com/versioner?application_name=a%20b", ""},
		`host='/tmp/my dir' port=5432 user=ann password='it\'s' dbname=versioner`:                  {`host='/tmp/my dir' port=5432 user=ann dbname=versioner`, "it's"},
		"password=secret pool_max_conns = 4 host=localhost statement_cache_capacity=0":             {"host=localhost", "secret"},
	} {
		dsn, password := backup.LibpqDSN(dsn)
		require.Equal(t, want, [2]string{dsn, password})
	}
}
