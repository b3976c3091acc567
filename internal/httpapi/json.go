package httpapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/versioner-io/versioner/internal/apperr"
)

// maxExponent is beyond what any number that is meant has; the database writes numbers out in full.
const maxExponent = 400

// maxDepth is how deep objects and lists may be nested.
const maxDepth = 128

var errNotJSON = apperr.New(apperr.Malformed, "Invalid JSON in request body")

// decodeJSON reads one JSON value strictly: UTF-8, each name once, nothing after it, and only what the database can store.
// Numbers stay json.Number. Everything that the database could not store is told at once.
func decodeJSON(body []byte) (any, error) {
	d := decoder{tokens: jsontext.NewDecoder(bytes.NewReader(body))}
	value, err := d.value([]any{"body"})
	if err != nil {
		return nil, err
	}
	if _, err := d.tokens.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errNotJSON
	}
	if len(d.problems) > 0 {
		return nil, apperr.NewInvalid(d.problems...)
	}
	return value, nil
}

type decoder struct {
	tokens   *jsontext.Decoder
	problems []apperr.Field
}

func (d *decoder) value(loc []any) (any, error) {
	if d.tokens.StackDepth() > maxDepth {
		return nil, apperr.NewInvalid(apperr.Field{Loc: []any{"body"}, Msg: fmt.Sprintf("nested deeper than %d levels", maxDepth), Type: "value_error.depth"})
	}
	read, err := d.tokens.ReadToken()
	if err != nil {
		return nil, toProblem(err)
	}
	switch read.Kind() {
	case '{':
		return d.object(loc)
	case '[':
		return d.list(loc)
	case '"':
		return d.text(loc, read.String()), nil
	case '0':
		return d.number(loc, read.String()), nil
	case 't', 'f':
		return read.Bool(), nil
	default: // 'n'; the decoder lets no stray bracket through
		return nil, nil //nolint:nilnil // null is a value
	}
}

func (d *decoder) object(loc []any) (any, error) {
	object := make(map[string]any)
	for d.tokens.PeekKind() != '}' {
		read, err := d.tokens.ReadToken()
		if err != nil {
			return nil, toProblem(err)
		}
		name := read.String()
		at := append(slices.Clip(loc), name)
		d.text(at, name)
		if object[name], err = d.value(at); err != nil {
			return nil, err
		}
	}
	return object, d.end()
}

func (d *decoder) list(loc []any) (any, error) {
	list := []any{}
	for d.tokens.PeekKind() != ']' {
		value, err := d.value(append(slices.Clip(loc), len(list)))
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	return list, d.end()
}

func (d *decoder) end() error {
	if _, err := d.tokens.ReadToken(); err != nil {
		return toProblem(err)
	}
	return nil
}

func (d *decoder) text(loc []any, text string) string {
	if strings.ContainsRune(text, 0) {
		d.problems = append(d.problems, apperr.Field{Loc: loc, Msg: "the character NUL cannot be stored", Type: "value_error.nul"})
	}
	return text
}

func (d *decoder) number(loc []any, text string) json.Number {
	_, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	zeros, errExponent := strconv.ParseInt(cmp.Or(exponent, "0"), 10, 16)
	if _, err := strconv.ParseFloat(text, 64); err != nil || errExponent != nil || max(zeros, -zeros) > maxExponent {
		d.problems = append(d.problems, apperr.Field{Loc: loc, Msg: "the number is out of range", Type: "value_error.number.range"})
	}
	return json.Number(text)
}

// toProblem tells a name that stands twice from what is no JSON at all.
func toProblem(err error) error {
	syntax, ok := errors.AsType[*jsontext.SyntacticError](err)
	if !ok || !errors.Is(err, jsontext.ErrDuplicateName) {
		return errNotJSON
	}
	loc := []any{"body"}
	for name := range syntax.JSONPointer.Tokens() {
		loc = append(loc, name)
	}
	return apperr.NewInvalid(apperr.Field{Loc: loc, Msg: "the name stands twice in its object", Type: "value_error.duplicate"})
}

// compactSize is the length of the value as compact JSON, numbers written out in full as the database keeps them: 1e300
// has 301 digits.
func compactSize(value any) int {
	switch value := value.(type) {
	case map[string]any:
		size := len("{}") + max(len(value)-1, 0)*len(",")
		for name, member := range value {
			size += len(name) + len(`"":`) + compactSize(member)
		}
		return size
	case []any:
		size := len("[]") + max(len(value)-1, 0)*len(",")
		for _, member := range value {
			size += compactSize(member)
		}
		return size
	case string:
		return len(value) + len(`""`)
	case json.Number:
		_, exponent, _ := strings.Cut(strings.ToLower(value.String()), "e")
		zeros, _ := strconv.Atoi(exponent)
		return len(value) + max(zeros, -zeros)
	default:
		return len("false")
	}
}
