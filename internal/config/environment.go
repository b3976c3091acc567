package config

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agext/levenshtein"
)

// defaultInHelp is before the description of a default in the help of a setting.
const defaultInHelp = " Default: "

// Setting describes one setting for documentation and validation.
type Setting struct {
	Env, Flag, Group, Default, Help string
	Secret                          bool // Env+"_FILE" may name a file with the value

	kind         reflect.Type
	isOffIfEmpty bool // an empty variable is a value
}

// AllSettings lists every setting in the order of declaration.
func AllSettings() []Setting { return settingsOf(reflect.TypeFor[ServerSettings]()) }

func settingsOf(structType reflect.Type) []Setting {
	var settings []Setting
	for field := range structType.Fields() {
		if field.Anonymous {
			settings = append(settings, settingsOf(field.Type)...)
			continue
		}
		env := field.Tag.Get("env")
		flag := cmp.Or(field.Tag.Get("name"), strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(env, "VERSIONER_"), "_", "-")))
		if _, isNegatable := field.Tag.Lookup("negatable"); isNegatable {
			flag = "[no-]" + flag
		}
		_, isSecret := field.Tag.Lookup("secret")
		_, isOffIfEmpty := field.Tag.Lookup("empty")
		settings = append(settings, Setting{
			Env: env, Flag: "--" + flag, Group: field.Tag.Get("group"), Default: field.Tag.Get("default"), Help: field.Tag.Get("help"),
			Secret: isSecret, kind: field.Type, isOffIfEmpty: isOffIfEmpty,
		})
	}
	return settings
}

// foreignVariables match variables that are not settings of the server: those of the CI clients and SDKs, of the tests, and those
// that Kubernetes and Docker set for a service named versioner.
var foreignVariables = regexp.MustCompile(`^VERSIONER_(` +
	`API_KEY|API_URL|UI_URL|TOKEN|PRODUCT|VERSION|ENVIRONMENT|STATUS|INVOKE_ID|SOURCE_SYSTEM|COMPLETED_AT|FAIL_ON_[A-Z_]+|SKIP_[A-Z_]+|EXTRA_METADATA|` +
	`SCM_[A-Z_]+|BUILD_[A-Z_]+|BUILT_[A-Z_]+|DEPLOY(ED)?_[A-Z_]+|TEST_[A-Z_]+|` +
	`([A-Z0-9_]+_)?SERVICE_HOST|([A-Z0-9_]+_)?SERVICE_PORT(_[A-Z0-9_]+)?|([A-Z0-9_]+_)?PORT(_[0-9]+_[A-Z0-9_]+)?)$`)

// CheckEnvironment reports every VERSIONER_ variable that is not a setting, every value of the wrong type, and each secret that has both
// a value and a file. invalid lists the variables whose value must not be parsed: those of the wrong type and empty ones, which count as
// not set unless that is a value.
func CheckEnvironment(environ []string) (invalid []string, err error) {
	settings := map[string]Setting{}
	for _, setting := range AllSettings() {
		settings[setting.Env] = setting
	}
	files := NewFiles(environ)
	var problems []error
	for _, entry := range slices.Sorted(slices.Values(environ)) {
		name, value, _ := strings.Cut(entry, "=")
		setting, isKnown := settings[name]
		switch {
		case settings[strings.TrimSuffix(name, fileSuffix)].Secret && !isKnown:
		case isKnown && value != "" && files.Path(name) != "":
			problems = append(problems, fmt.Errorf("%s and %s%s are both set: remove one of them", name, name, fileSuffix))
		case !isKnown && strings.HasPrefix(name, "VERSIONER_") && !foreignVariables.MatchString(name):
			problems = append(problems, unknownVariable(name, settings))
		case isKnown && value == "" && setting.isOffIfEmpty:
		case isKnown && value == "":
			invalid = append(invalid, name)
		case isKnown:
			if err := setting.checkType(value); err != nil {
				invalid = append(invalid, name)
				problems = append(problems, err)
			}
		}
	}
	return invalid, errors.Join(problems...)
}

// unknownVariable suggests the setting with the most similar name.
func unknownVariable(name string, settings map[string]Setting) error {
	const maxDistance = 3
	best, distance := "", maxDistance+1
	for candidate := range settings {
		if d := levenshtein.Distance(name, candidate, nil); d < distance || d == distance && candidate < best {
			best, distance = candidate, d
		}
	}
	if best != "" {
		return fmt.Errorf("%s is not a setting: did you mean %s?", name, best)
	}
	return fmt.Errorf("%s is not a setting: remove it; `versionerd serve --help` lists the settings", name)
}

// checkType reports a value that the type of the setting cannot represent.
func (s Setting) checkType(value string) error {
	switch {
	case s.kind == reflect.TypeFor[time.Duration]():
		if _, err := time.ParseDuration(value); err != nil {
			return fmt.Errorf("%s %q: use a duration such as 500ms, 5s or 1m", s.Env, value)
		}
	case s.kind.Kind() == reflect.Int:
		if _, err := strconv.Atoi(value); err != nil {
			return fmt.Errorf("%s %q: use a whole number", s.Env, value)
		}
	case s.kind.Kind() == reflect.Bool:
		if !slices.Contains([]string{"true", "false", "1", "0", "yes", "no"}, strings.ToLower(value)) {
			return fmt.Errorf("%s %q: use true or false", s.Env, value)
		}
	}
	return nil
}

// PrepareEnvironment is CheckEnvironment for the environment of the process, which it clears of the invalid values, so that the
// remaining settings can be validated, too.
func PrepareEnvironment() error {
	invalid, problems := CheckEnvironment(os.Environ())
	for _, name := range invalid {
		if err := os.Unsetenv(name); err != nil {
			return fmt.Errorf("clear %s: %w", name, err)
		}
	}
	return problems
}
