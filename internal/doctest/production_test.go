package doctest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// testProduction follows the page: a PostgreSQL with its roles, two servers with the command of the unit behind nginx, a backup, and a
// server on the restored database.
func testProduction(t *testing.T, g *guide) {
	t.Helper()
	admin := freshPostgres(t)
	execute(t, admin, join(g.take(t, "sql")))
	database := func(role, name string) string {
		parts := regexp.MustCompile(`host='?([^' ]+)'?`).FindStringSubmatch(admin)
		require.NotNil(t, parts, admin)
		return "postgres://" + role + "@/" + name + "?" + url.Values{"host": {parts[1]}}.Encode()
	}
	shells := g.take(t, "sh")
	require.Len(t, shells, 4)
	p := &production{env: g.take(t, "ini")[0].text, dir: newDir(t), database: database("versioner:change-me", "versioner"), signer: newProvider(t)}
	p.createCredentials(t, shells[0].text)

	first, second := p.serve(t, p.database), p.serve(t, p.database)
	token := p.signer.token(t, map[string]any{
		"iss": "https://example.clerk.accounts.dev", "sub": "user_2abc", "azp": "https://app.example.com", "org_id": "org_2ghi", "org_slug": "acme", "org_role": "org:admin",
	})
	items(t, first.url+"/users/", token)
	key := strings.TrimSpace(first.shell(t, strings.ReplaceAll(shells[1].text, "/etc/versioner", first.dir)))
	events := 0
	event := func(address string) int {
		events++
		status, _ := send(t, http.MethodPost, address+deploy, key, fmt.Sprintf(`{"product_name":"checkout","version":"%d","environment_name":"production","status":"completed"}`, events))
		return status
	}
	require.Equal(t, http.StatusOK, event(second.url))

	t.Run("Backup", func(t *testing.T) {
		needs(t, "psql")
		first.env = append(first.env, "ADMIN_URL="+database("root", "postgres"), "RESTORED_URL="+database("versioner:change-me", "versioner_restored"))
		first.shell(t, strings.ReplaceAll(shells[2].text, "/etc/versioner/env", first.dir+"/env")+shells[3].text)
		restored := p.serve(t, database("versioner:change-me", "versioner_restored"))
		require.Len(t, items(t, restored.url+"/deployments/", token), 1)
		require.Equal(t, http.StatusOK, event(restored.url), "the keys of the backup are valid")
	})
	t.Run("LoadBalancer", func(t *testing.T) {
		balancer := p.balance(t, g, first, second)
		for range 20 {
			require.Equal(t, http.StatusOK, event(balancer))
		}
		require.NoError(t, first.kill())
		for range 20 {
			require.Equal(t, http.StatusOK, event(balancer), "the other server answers")
		}
		status, _ := send(t, http.MethodPost, balancer+"//deployment-events", key, someEvent)
		require.Equal(t, http.StatusOK, status, "nginx keeps slashes")
	})
	g.take(t, "nginx")
}

// freshPostgres returns an empty PostgreSQL with the superuser root.
func freshPostgres(t *testing.T) string {
	t.Helper()
	own := newPostgres(t)
	execute(t, own, "CREATE ROLE root SUPERUSER LOGIN")
	admin := strings.NewReplacer("user=versioner", "user=root", "dbname=versioner", "dbname=postgres").Replace(own)
	execute(t, admin, "DROP DATABASE versioner; ALTER ROLE versioner RENAME TO bootstrap")
	return admin
}

// production has the settings that the servers of the page share.
type production struct {
	env      string // the page's file of settings
	dir      string // stands in for /etc/versioner
	database string
	signer   provider
}

type productionServer struct {
	*server

	pid func() int
}

func (s productionServer) kill() error {
	process, err := os.FindProcess(s.pid())
	if err != nil {
		return err
	}
	return process.Kill()
}

// createCredentials runs the commands of the page that create the files of the secrets.
func (p *production) createCredentials(t *testing.T, commands string) {
	t.Helper()
	needs(t, "openssl")
	output, err := exec.CommandContext(t.Context(), "bash", "-euc", strings.ReplaceAll(commands, "/etc/versioner", p.dir)).CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// variables returns those of the unit, for a server with a copy of the secrets in its directory and another database.
func (p *production) variables(t *testing.T, dir, database string) (variables []string) {
	t.Helper()
	unit, err := os.ReadFile(filepath.Join(root, "deploy/systemd/versioner.service"))
	require.NoError(t, err)
	require.Contains(t, string(unit), "\nExecStart=/usr/bin/versionerd serve\n")
	require.NoError(t, os.CopyFS(filepath.Join(dir, "credentials"), os.DirFS(filepath.Join(p.dir, "credentials"))))
	secret := filepath.Join(dir, "credentials", "database-url")
	require.NoError(t, os.WriteFile(secret, []byte(database+"\n"), 0o600))
	for _, line := range regexp.MustCompile(`(?m)^Environment=(\w+_FILE=.*)$`).FindAllStringSubmatch(string(unit), -1) {
		variables = append(variables, strings.ReplaceAll(line[1], "%d", filepath.Join(dir, "credentials")))
	}
	require.Len(t, variables, 3)
	return variables
}

// serve runs the command of the unit with the settings of the page and local addresses.
func (p *production) serve(t *testing.T, database string) productionServer {
	t.Helper()
	s := newClone(t)
	env := strings.NewReplacer(
		"127.0.0.1:8080", strings.TrimPrefix(s.url, "http://"),
		"redis://redis.example.com:6379/0", "redis://"+freeAddress(t)+"/0", // unavailable, without delaying requests
	).Replace(p.env)
	file := filepath.Join(s.dir, "env")
	require.NoError(t, os.WriteFile(file, []byte(env), 0o600))
	s.env = slices.DeleteFunc(s.env, func(entry string) bool { return strings.HasPrefix(entry, "VERSIONER_ADDR=") })
	s.env = slices.Concat(s.env, []string{p.signer.setting(t)}, p.variables(t, s.dir, database))
	pidFile := filepath.Join(s.dir, "pid")
	s.output = start(t, s.env, s.dir, "bash", "-euc", "set -a; . ./env; set +a; echo $$ > pid; exec versionerd serve")
	awaitReady(t, s.url, s.output)
	return productionServer{server: s, pid: func() int {
		text, err := os.ReadFile(pidFile)
		require.NoError(t, err)
		pid, err := readPID(string(text))
		require.NoError(t, err)
		return pid
	}}
}

// balance runs nginx with the configuration of the page in front of the servers.
func (p *production) balance(t *testing.T, g *guide, servers ...productionServer) string {
	t.Helper()
	program := needs(t, "nginx", "/usr/sbin/nginx")
	address := freeAddress(t)
	shown := g.take(t, "nginx")[0].text
	file, err := os.ReadFile(filepath.Join(root, "deploy/nginx/versioner.conf"))
	require.NoError(t, err)
	require.Equal(t, string(file), shown, "the page shows deploy/nginx/versioner.conf")
	text := strings.NewReplacer("10.0.0.11:8080", strings.TrimPrefix(servers[0].url, "http://"), "10.0.0.12:8080", strings.TrimPrefix(servers[1].url, "http://"),
		"listen 80;", "listen "+address+";").Replace(shown)
	dir := newDir(t)
	var temporary strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		_, _ = fmt.Fprintf(&temporary, "%s_temp_path %s;\n", kind, filepath.Join(dir, kind))
	}
	config := filepath.Join(dir, "nginx.conf")
	require.NoError(t, os.WriteFile(config, []byte("daemon off;\nmaster_process off;\nworker_processes 1;\npid "+dir+"/nginx.pid;\nerror_log stderr warn;\nevents {}\nhttp {\naccess_log off;\n"+temporary.String()+text+"}\n"), 0o600))
	output := start(t, os.Environ(), dir, program, "-p", dir, "-e", "stderr", "-c", config)
	awaitReady(t, "http://"+address, output)
	return "http://" + address
}

// testScaling runs the queries of the page.
func testScaling(t *testing.T, g *guide) {
	t.Helper()
	dsn := newPostgres(t)
	s := newClone(t, "DATABASE_URL="+dsn)
	s.shell(t, "bin/versionerd migrate up")
	for _, query := range g.take(t, "sql") {
		execute(t, dsn, query.text)
	}
}
