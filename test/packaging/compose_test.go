package packaging

import (
	"maps"
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
)

// TestCompose loads compose.yaml as `docker compose config` does.
func TestCompose(t *testing.T) {
	t.Parallel()
	load := func(environment ...string) (*types.Project, error) {
		options, err := cli.NewProjectOptions([]string{root + "/compose.yaml"}, cli.WithEnv(environment))
		require.NoError(t, err)
		return options.LoadProject(t.Context())
	}
	_, err := load()
	require.ErrorContains(t, err, "generate it with openssl rand", "no secret has a default")

	project, err := load("POSTGRES_PASSWORD=password", "VERSIONER_KEY_PEPPER=0000000000000000000000000000000000000000000000000000000000000000",
		"VERSIONER_ENCRYPTION_KEYS=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	require.NoError(t, err)
	require.Equal(t, []string{"mailpit", "postgres", "valkey", "versioner"}, slices.Sorted(maps.Keys(project.Services)))
	for name, service := range project.Services {
		for _, port := range service.Ports {
			require.Equal(t, "127.0.0.1", port.HostIP, "%s is reachable from this machine only", name)
		}
	}
	server := project.Services["versioner"]
	variables := make(map[string]string)
	for name, value := range server.Environment {
		require.NotNil(t, value, name)
		variables[name] = *value
	}
	require.Equal(t, types.ShellCommand{"serve"}, server.Command)
	requireConfiguration(t, variables)
}
