package backup

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// client runs pg_dump and pg_restore against a database.
type client struct{ dsn string }

// command prepares a program. The DSN is an argument, which other users of the machine see: the password goes into the environment, which
// has no other secret of the server.
func (c client) command(ctx context.Context, program string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	dsn, password := libpqDSN(c.dsn)
	command := exec.CommandContext(ctx, program, append(args, "--no-password", "--dbname="+dsn)...) //nolint:gosec // path from FindClient
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "VERSIONER_") && !strings.HasPrefix(entry, "DATABASE_URL") && !strings.HasPrefix(entry, "LC_") {
			command.Env = append(command.Env, entry)
		}
	}
	command.Env = append(command.Env, "LC_ALL=C")
	if password != "" {
		command.Env = append(command.Env, "PGPASSWORD="+password)
	}
	messages := &bytes.Buffer{}
	command.Stderr = messages
	return command, messages
}

// run runs a program that reads the file from its start.
func (c client) run(ctx context.Context, stdin *os.File, stdout io.Writer, program string, args ...string) error {
	if _, err := stdin.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read the dump: %w", err)
	}
	command, messages := c.command(ctx, program, args...)
	command.Stdin, command.Stdout = stdin, stdout
	if err := command.Run(); err != nil {
		return failure(program, err, messages)
	}
	return nil
}

func failure(program string, err error, messages *bytes.Buffer) error {
	return fmt.Errorf("%s: %w\n%s", program, err, strings.TrimSpace(messages.String()))
}

var (
	keyword = regexp.MustCompile(`(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)\s*`)
	escaped = regexp.MustCompile(`\\(.)`)

	// driverOnly are parameters of the driver that libpq rejects.
	driverOnly = regexp.MustCompile(`^(pool_\w+|default_query_exec_mode|statement_cache_capacity|description_cache_capacity)$`)
)

// libpqDSN returns a DSN of the driver in the form that libpq reads, without its password.
func libpqDSN(dsn string) (string, string) {
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		return libpqURL(dsn)
	}
	var kept []string
	password := ""
	for _, found := range keyword.FindAllStringSubmatch(dsn, -1) {
		switch {
		case found[1] == "password":
			password = escaped.ReplaceAllString(strings.TrimSuffix(strings.TrimPrefix(found[2], "'"), "'"), "$1")
		case !driverOnly.MatchString(found[1]):
			kept = append(kept, found[1]+"="+found[2])
		}
	}
	return strings.Join(kept, " "), password
}

func libpqURL(dsn string) (string, string) {
	address, err := url.Parse(dsn)
	if err != nil { // several hosts with ports: libpq reads it
		return dsn, ""
	}
	query := address.Query()
	password := query.Get("password")
	query.Del("password")
	for name := range query {
		if driverOnly.MatchString(name) {
			query.Del(name)
		}
	}
	if user := address.User; user != nil {
		if set, ok := user.Password(); ok {
			password = set
		}
		address.User = url.User(user.Username())
	}
	address.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20") // libpq reads a plus sign as itself
	return address.String(), password
}

// list prints the list of a dump.
func (c client) list(ctx context.Context, dump *os.File, stdout io.Writer, program string) error {
	if _, err := dump.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read the dump: %w", err)
	}
	var messages bytes.Buffer
	command := exec.CommandContext(ctx, program, "--list")
	command.Stdin, command.Stdout, command.Stderr = dump, stdout, &messages
	if err := command.Run(); err != nil {
		return failure(program, err, &messages)
	}
	return nil
}
