package governance_test

import (
	"testing"

	"github.com/versioner-io/versioner/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }
