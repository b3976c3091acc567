package main

import (
	"fmt"
	"os"
	"strings"
)

type completionCommand struct {
	Shell   string `arg:""                                                                enum:"bash,zsh,fish" help:"bash, zsh or fish."`
	Program string `help:"Path of the program that the script calls. Default: this one." placeholder:"PATH"`
}

// Help shows how to enable completion.
func (completionCommand) Help() string {
	return `bash: source <(versionerd completion bash)
zsh:  source <(versionerd completion zsh)
fish: versionerd completion fish | source`
}

// Run prints a script that makes the shell call this program for completions.
func (c completionCommand) Run() error {
	program := c.Program
	if program == "" {
		executable, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find the program: %w", err)
		}
		program = executable
	}
	script := map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[c.Shell]
	_, err := fmt.Fprint(os.Stdout, strings.ReplaceAll(script, "PROGRAM", "'"+strings.ReplaceAll(program, "'", `'\''`)+"'"))
	return err //nolint:wrapcheck // names standard output
}

const (
	bashCompletion = "complete -C PROGRAM versionerd\n"
	zshCompletion  = "#compdef versionerd\nautoload -U +X bashcompinit && bashcompinit\n" + bashCompletion + zshFirstCall
	// zshFirstCall completes when zsh has loaded the script as the function _versionerd, which it calls for the first completion.
	zshFirstCall   = "[ \"$funcstack[1]\" != _versionerd ] || _bash_complete -C PROGRAM\n"
	fishCompletion = `function __complete_versionerd
    set -lx COMP_LINE (commandline -cp)
    test -z (commandline -ct)
    and set COMP_LINE "$COMP_LINE "
    PROGRAM
end
complete -f -c versionerd -a "(__complete_versionerd)"
`
)
