package validation

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
// Numbers stay json.Number. The error lists every value that the database cannot store, up to apperr.MaxFields.
func decodeJSON(body []byte) (any, error) {
	d := decoder{tokens: jsontext.NewDecoder(bytes.NewBuffer(body))}
	value, err := d.value()
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

func (d *decoder) value() (any, error) {
	if d.tokens.StackDepth() > maxDepth {
		return nil, apperr.NewInvalid(apperr.Field{Loc: []any{"body"}, Msg: fmt.Sprintf("nested deeper than %d levels", maxDepth), Type: "value_error.depth"})
	}
	if len(d.problems) >= apperr.MaxFields { // no more are listed
		return nil, apperr.NewInvalid(d.problems...)
	}
	read, err := d.tokens.ReadToken()
	if err != nil {
		return nil, d.syntaxError(err)
	}
	switch read.Kind() {
	case '{':
		return d.decodeObject()
	case '[':
		return d.decodeArray()
	case '"':
		return d.checkString(read.String()), nil
	case '0':
		return d.checkNumber(read.String()), nil
	case 't', 'f':
		return read.Bool(), nil
	default: // 'n'; the decoder lets no stray bracket through
		return nil, nil //nolint:nilnil // null is a value
	}
}

func (d *decoder) decodeObject() (any, error) {
	object := make(map[string]any)
	for d.tokens.PeekKind() != '}' {
		read, err := d.tokens.ReadToken()
		if err != nil {
			return nil, d.syntaxError(err)
		}
		name := d.checkString(read.String())
		if object[name], err = d.value(); err != nil {
			return nil, err
		}
	}
	return object, d.closeToken()
}

func (d *decoder) decodeArray() (any, error) {
	list := []any{}
	for d.tokens.PeekKind() != ']' {
		value, err := d.value()
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	return list, d.closeToken()
}

func (d *decoder) closeToken() error {
	if _, err := d.tokens.ReadToken(); err != nil {
		return d.syntaxError(err)
	}
	return nil
}

func (d *decoder) checkString(text string) string {
	if strings.ContainsRune(text, 0) {
		d.report("must not contain NUL", "value_error.nul")
	}
	return text
}

func (d *decoder) checkNumber(text string) json.Number {
	_, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	zeros, errExponent := strconv.ParseInt(cmp.Or(exponent, "0"), 10, 16)
	if _, err := strconv.ParseFloat(text, 64); err != nil || errExponent != nil || max(zeros, -zeros) > maxExponent {
		d.report("the number is out of range", "value_error.number.range")
	}
	return json.Number(text)
}

// report adds a problem of the name or value that was read last.
func (d *decoder) report(message, kind string) {
	d.problems = append(d.problems, apperr.Field{Loc: d.locate(d.tokens.StackPointer()), Msg: message, Type: kind})
}

// locate returns the place that the pointer names below the objects and lists that are being read. It is computed for
// problems alone: in deeply nested bodies a place for each value would take more memory than the values.
func (d *decoder) locate(pointer jsontext.Pointer) []any {
	loc := []any{"body"}
	for name := range pointer.Tokens() {
		if kind, _ := d.tokens.StackIndex(len(loc)); kind == '[' {
			position, _ := strconv.Atoi(name) // jsontext writes no other
			loc = append(loc, position)
			continue
		}
		loc = append(loc, name)
	}
	return loc
}

// syntaxError distinguishes duplicate names from text that is not JSON.
func (d *decoder) syntaxError(err error) error {
	syntax, ok := errors.AsType[*jsontext.SyntacticError](err)
	if !ok || !errors.Is(err, jsontext.ErrDuplicateName) {
		return errNotJSON
	}
	return apperr.NewInvalid(apperr.Field{Loc: d.locate(syntax.JSONPointer), Msg: "duplicate key", Type: "value_error.duplicate"})
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
