package validation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/versioner-io/versioner/internal/apperr"
)

const (
	maxDepth    = 128 // nested objects and arrays
	maxExponent = 324 // decimal, of a float64
)

var errNotJSON = apperr.New(apperr.MalformedJSON, "Invalid JSON in request body")

// decodeJSON returns the value of a JSON text, numbers as json.Number. jsontext rejects invalid UTF-8 and duplicate names,
// the decoder adds what PostgreSQL cannot store. The error lists up to apperr.MaxFields problems. The size is an upper bound
// of the length of the stored text, in which numbers have no exponent: 1e300 has 301 digits.
//
// A custom function in json.Unmarshal would have to handle numbers, and costs twice the time, as it disables the fast path
// for any.
func decodeJSON(body []byte) (value any, size int, err error) {
	d := decoder{tokens: jsontext.NewDecoder(bytes.NewBuffer(body)), size: len(body)}
	value = d.value(d.next())
	if d.err == nil && len(d.problems) > 0 {
		d.err = apperr.NewInvalid(d.problems...)
	}
	if d.err != nil {
		return nil, 0, d.err
	}
	if _, err := d.tokens.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, 0, errNotJSON
	}
	return value, d.size, nil
}

type decoder struct {
	tokens   *jsontext.Decoder
	size     int
	problems []apperr.Field
	err      error // ends the decoding: next returns no tokens any more
}

// next returns the next token, an invalid one after an error.
func (d *decoder) next() jsontext.Token {
	if d.err != nil {
		return jsontext.Token{}
	}
	token, err := d.tokens.ReadToken()
	switch {
	case err != nil:
		d.err = d.syntaxError(err)
	case d.tokens.StackDepth() > maxDepth:
		d.err = apperr.NewInvalid(apperr.Field{Loc: []any{"body"}, Msg: fmt.Sprintf("nested deeper than %d levels", maxDepth), Type: "value_error.depth"})
	case len(d.problems) >= apperr.MaxFields:
		d.err = apperr.NewInvalid(d.problems...)
	default:
		return token
	}
	return jsontext.Token{}
}

func (d *decoder) value(token jsontext.Token) any {
	switch token.Kind() {
	case '{':
		object := make(map[string]any)
		for name := d.next(); name.Kind() == '"'; name = d.next() {
			text := d.checkString(name.String())
			object[text] = d.value(d.next())
		}
		return object
	case '[':
		array := []any{}
		for item := d.next(); item.Kind() != ']' && d.err == nil; item = d.next() {
			array = append(array, d.value(item))
		}
		return array
	case '"':
		return d.checkString(token.String())
	case '0':
		return d.checkNumber(token.String())
	case 't', 'f':
		return token.Bool()
	default: // null, or no token
		return nil
	}
}

func (d *decoder) checkString(text string) string {
	if strings.IndexByte(text, 0) >= 0 {
		d.report("must not contain NUL", "value_error.nul")
	}
	return text
}

func (d *decoder) checkNumber(text string) json.Number {
	digits := exponent(text)
	if _, err := strconv.ParseFloat(text, 64); err != nil || digits > maxExponent {
		d.report("the number is out of range", "value_error.number.range")
	}
	d.size += digits
	return json.Number(text)
}

// exponent returns the number of digits that a JSON number gains when it is written without its exponent.
func exponent(number string) int {
	at := strings.IndexAny(number, "eE")
	if at < 0 {
		return 0
	}
	digits, err := strconv.ParseInt(number[at+1:], 10, 16)
	if err != nil {
		return maxExponent + 1
	}
	return int(max(digits, -digits))
}

// report adds a problem of the name or value that was read last.
func (d *decoder) report(message, kind string) {
	d.problems = append(d.problems, apperr.Field{Loc: d.locate(d.tokens.StackPointer()), Msg: message, Type: kind})
}

// locate returns the location that the pointer names below the objects and arrays that are being read. It is computed for
// problems only: in deeply nested bodies the locations of all values would take more memory than the values.
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

// storedSize returns the length of a value as compact JSON in which numbers have no exponent, as PostgreSQL writes them.
func storedSize(value jsontext.Value) (size int) {
	compact, err := jsontext.AppendFormat(nil, value)
	if err != nil {
		return len(value)
	}
	tokens := jsontext.NewDecoder(bytes.NewBuffer(compact))
	for size = len(compact); ; {
		token, err := tokens.ReadToken()
		if err != nil {
			return size
		}
		if token.Kind() == '0' {
			size += exponent(token.String())
		}
	}
}
