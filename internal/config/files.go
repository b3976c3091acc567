package config

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// fileSuffix ends the names of variables that name a file with the value of a secret setting.
const fileSuffix = "_FILE"

// Files reads secret settings from the files that variables name: NAME_FILE has the path of a file that contains the value of NAME.
type Files struct {
	paths    map[string]string // by variable of the setting
	problems []error
}

// NewFiles returns the files that an environment names. It reads none of them.
func NewFiles(environ []string) *Files {
	files := &Files{paths: make(map[string]string)}
	secrets := make(map[string]bool)
	for _, setting := range AllSettings() {
		secrets[setting.Env] = setting.Secret
	}
	for _, entry := range environ {
		name, path, _ := strings.Cut(entry, "=")
		if env, isFile := strings.CutSuffix(name, fileSuffix); isFile && secrets[env] && path != "" {
			files.paths[env] = path
		}
	}
	return files
}

// Path returns the path of the file with the value of a setting; empty without one.
func (f *Files) Path(env string) string { return f.paths[env] }

// Value returns the content of the file of a setting, without line breaks at its end. It returns no value when there is no file, and
// when it cannot be used, which Err reports.
func (f *Files) Value(env string) (value string, ok bool) {
	path := f.Path(env)
	if path == "" {
		return "", false
	}
	content, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		f.problems = append(f.problems, fmt.Errorf("%s%s: %w; name a file that this user can read", env, fileSuffix, err))
		return "", false
	}
	value = strings.TrimRight(string(content), "\r\n")
	if strings.TrimSpace(value) == "" {
		f.problems = append(f.problems, fmt.Errorf("%s%s: %s is empty; write the value of %s into it", env, fileSuffix, path, env))
		return "", false
	}
	return value, true
}

// Err reports the files that could not be used, all together.
func (f *Files) Err() error { return errors.Join(f.problems...) }
