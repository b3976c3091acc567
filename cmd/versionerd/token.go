package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/config"
	"github.com/versioner-io/versioner/internal/httpapi"
)

type tokenCommand struct {
	Account string        `default:"demo"  help:"Account that the person belongs to."             placeholder:"NAME"`
	Role    string        `default:"admin" help:"What the person may do, such as admin or viewer." placeholder:"ROLE"`
	Name    string        `help:"Who the person is. Default: dev-ROLE."                            placeholder:"NAME"`
	Expires time.Duration `default:"8h"    help:"How long the token is valid."                     placeholder:"DURATION"`
}

// Run prints a token alone on standard output. Only `versionerd dev` on the same data directory believes it.
func (c tokenCommand) Run(_ context.Context, cfg config.Config, _ *slog.Logger) error {
	if err := authn.CheckAccountSlug(c.Account); err != nil {
		return err
	}
	if !httpapi.IsRole(c.Role) {
		return fmt.Errorf("there is no role %q: use one of %v", c.Role, httpapi.Roles())
	}
	if c.Name == "" {
		c.Name = "dev-" + c.Role
	}
	key, err := authn.LoadDevKey(cfg.DataDir)
	if err != nil {
		return err
	}
	token, err := key.Token(c.Account, c.Role, c.Name, time.Now(), c.Expires)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "A token for %s of account %q, for `versionerd dev` alone, valid for %v:\n", c.Name, c.Account, c.Expires)
	fmt.Fprintln(os.Stdout, token)
	return nil
}
