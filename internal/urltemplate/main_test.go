package urltemplate_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain makes the properties have 2,000 cases, and a tenth of them with -short.
func TestMain(m *testing.M) {
	flag.Parse()
	checks := "2000"
	if testing.Short() {
		checks = "200"
	}
	isGiven := false
	flag.Visit(func(f *flag.Flag) { isGiven = isGiven || f.Name == "rapid.checks" })
	if !isGiven {
		if err := flag.Set("rapid.checks", checks); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
