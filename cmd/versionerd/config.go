package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/alecthomas/kong"

	"github.com/versioner-io/versioner/internal/config"
)

type configCommand struct {
	config.ServerSettings

	JSON bool `help:"Print JSON." name:"json"`
}

// Run prints the settings to standard output. An invalid configuration is printed, too, before its problems are reported.
func (c configCommand) Run(command *kong.Context, files *config.Files) error {
	settings := config.Describe(c.ServerSettings, sources(command, files))
	if c.JSON {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(map[string]any{"settings": settings}) //nolint:wrapcheck // names standard output
	}
	return printTable(os.Stdout, settings)
}

// sources returns a function that returns the origin of the value of a setting, and the path of its file.
func sources(command *kong.Context, files *config.Files) func(config.Setting) (config.Source, string) {
	onCommandLine := make(map[string]bool)
	for _, element := range command.Path {
		if element.Flag == nil || element.Resolved {
			continue
		}
		for _, name := range element.Flag.Envs {
			onCommandLine[name] = true
		}
	}
	return func(setting config.Setting) (config.Source, string) {
		switch path := files.Path(setting.Env); {
		case onCommandLine[setting.Env]:
			return config.FromFlag, ""
		case path != "":
			return config.FromFile, path
		case os.Getenv(setting.Env) != "":
			return config.FromEnvironment, ""
		}
		return config.FromDefault, ""
	}
}

func printTable(w io.Writer, settings []config.Effective) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SETTING\tSOURCE\tVALUE")
	for _, setting := range settings {
		source := string(setting.Source)
		if setting.File != "" {
			source += " " + setting.File
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", setting.Name, source, formatSetting(setting))
	}
	return table.Flush() //nolint:wrapcheck // names standard output
}

func formatSetting(setting config.Effective) string {
	switch value := setting.Value.(type) {
	case nil:
		return "(" + setting.Default + ")"
	case []string:
		return strings.Join(value, ",")
	case string:
		return strings.ReplaceAll(value, "\n", `\n`)
	default:
		return fmt.Sprint(value)
	}
}
