package config

import (
	"reflect"
	"strings"
	"time"
)

// Source is the origin of the value of a setting.
type Source string

// The sources, in the order of their precedence.
const (
	FromFlag        Source = "flag"
	FromFile        Source = "file"
	FromEnvironment Source = "environment"
	FromDefault     Source = "default"
)

const (
	mask            = "********" // replaces the value of a secret
	dataDirVariable = "VERSIONER_DATA_DIR"
)

// Effective is a setting with its value. Secrets are masked.
type Effective struct {
	Name   string `json:"name"`
	Flag   string `json:"flag"`
	Value  any    `json:"value"` // nil: none
	Source Source `json:"source"`
	File   string `json:"file,omitempty"` // that of FromFile
	Secret bool   `json:"secret"`

	// Default describes the value of a setting that has none.
	Default string `json:"-"`
}

// Describe lists every setting with its value, in the order of AllSettings. source returns the origin of a value and the path of its
// file.
func Describe(settings ServerSettings, source func(Setting) (Source, string)) []Effective {
	values := valuesOf(reflect.ValueOf(settings))
	var described []Effective
	for i, setting := range AllSettings() {
		one := Effective{Name: setting.Env, Flag: setting.Flag, Value: printed(setting, values[i]), Secret: setting.Secret, Default: setting.DefaultText()}
		one.Source, one.File = source(setting)
		described = append(described, one)
	}
	return described
}

// valuesOf returns the values of a struct's fields in the order of settingsOf.
func valuesOf(group reflect.Value) []reflect.Value {
	var values []reflect.Value
	for field, value := range group.Fields() {
		if field.Anonymous {
			values = append(values, valuesOf(value)...)
		} else {
			values = append(values, value)
		}
	}
	return values
}

// printed returns the value of a setting for users: nil when it has none.
func printed(setting Setting, value reflect.Value) any {
	isSet := !value.IsZero() || setting.Default != ""
	switch duration, isDuration := reflect.TypeAssert[time.Duration](value); {
	case setting.Env == dataDirVariable && !isSet:
		return DefaultDataDir()
	case value.Kind() == reflect.Slice && value.Len() == 0 || !isSet:
		return nil
	case setting.Secret:
		return mask
	case isDuration:
		return duration.String()
	}
	return value.Interface()
}

// DefaultText describes the value that a setting has by default.
func (s Setting) DefaultText() string {
	if s.Default != "" {
		return s.Default
	}
	if _, stated, found := strings.Cut(s.Help, defaultInHelp); found {
		return strings.TrimSuffix(stated, ".")
	}
	return "none"
}

// Description returns the help without the default.
func (s Setting) Description() string {
	description, _, _ := strings.Cut(s.Help, defaultInHelp)
	return description
}
