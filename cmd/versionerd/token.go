package main

import (
	"fmt"
	"os"
	"time"

	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/authz"
	"github.com/versioner-io/versioner/internal/config"
)

type tokenCommand struct {
	config.DirectorySettings

	Account string        `default:"demo"  help:"Account of the user."             placeholder:"NAME"`
	Role    string        `default:"admin" help:"Role of the user, such as admin or viewer." placeholder:"ROLE"`
	Name    string        `help:"Name of the user. Default: dev-ROLE."                            placeholder:"NAME"`
	Expires time.Duration `default:"8h"    help:"Validity of the token."                     placeholder:"DURATION"`
}

// Run prints only the token to standard output. `versionerd dev` with the same data directory accepts it.
func (c tokenCommand) Run(cfg config.Config) error {
	if err := apikeys.ValidateAccountSlug(c.Account); err != nil {
		return err
	}
	if !authz.IsRole(c.Role) {
		return fmt.Errorf("there is no role %q: use one of %v", c.Role, authz.Roles())
	}
	if c.Name == "" {
		c.Name = "dev-" + c.Role
	}
	key, err := authn.LoadDevSigner(cfg.DataDir)
	if err != nil {
		return err
	}
	token, err := key.Token(c.Account, c.Role, c.Name, time.Now(), c.Expires)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "Token of %s in account %q, valid for %v, accepted only by `versionerd dev`:\n", c.Name, c.Account, c.Expires)
	fmt.Fprintln(os.Stdout, token)
	return nil
}
