package ingest

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// byteOrderMark is U+FEFF, with which some clients begin a body.
const byteOrderMark = "\uFEFF"

// CleanBody returns the JSON document of an event in the form in which it is stored: no byte-order mark, U+FFFD in place
// of NUL, of lone surrogates and of bytes that are not UTF-8, and no user info in URLs. The body is returned without
// copying when it is clean. Invalid lists which of the named members have a text with characters that were replaced. A
// body that is not JSON stays so.
func CleanBody(body []byte, names ...string) (clean []byte, invalid []string) {
	body = bytes.TrimPrefix(body, []byte(byteOrderMark))
	if !isStorable(body) {
		if bytes.IndexByte(body, 0) >= 0 {
			body = bytes.ReplaceAll(body, []byte{0}, []byte(`\u0000`))
		}
		invalid = invalidMembers(body, names)
		body = editStrings(body, CleanText)
	}
	return StripUserInfoJSON(body), invalid
}

// isStorable reports whether every text of the document can be stored, without decoding any.
func isStorable(body []byte) bool {
	if !utf8.Valid(body) || bytes.IndexByte(body, 0) >= 0 {
		return false
	}
	for unit := range escapes(body) {
		if unit == 0 || utf16.IsSurrogate(unit) {
			return false
		}
	}
	return true
}

// escapes yields the UTF-16 code unit of each "\uXXXX" in a JSON document, and the second character of every other escape.
func escapes(body []byte) iter.Seq[rune] {
	return func(yield func(rune) bool) {
		for {
			at := bytes.IndexByte(body, '\\')
			if at < 0 || at+1 == len(body) {
				return
			}
			unit, length := rune(body[at+1]), len(`\n`)
			if end := at + len(`\u0000`); unit == 'u' && end <= len(body) {
				if code, err := strconv.ParseUint(string(body[at+len(`\u`):end]), 16, 16); err == nil {
					unit, length = rune(code), len(`\u0000`)
				}
			}
			if !yield(unit) {
				return
			}
			body = body[at+length:]
		}
	}
}

// invalidMembers returns which of the named members of an object have a text that cannot be stored.
func invalidMembers(body []byte, names []string) (invalid []string) {
	decoder := newLenientDecoder(body)
	if token, err := decoder.ReadToken(); err != nil || token.Kind() != '{' {
		return nil
	}
	for decoder.PeekKind() == '"' {
		token, err := decoder.ReadToken()
		if err != nil {
			return nil
		}
		name := token.String()
		value, err := decoder.ReadValue()
		if err != nil {
			return nil
		}
		if value.Kind() != '"' || !slices.Contains(names, name) {
			continue
		}
		if text, err := jsontext.AppendUnquote(nil, value); err != nil || bytes.IndexByte(text, 0) >= 0 {
			invalid = append(invalid, name)
		}
	}
	return invalid
}

// newLenientDecoder returns a decoder that reads U+FFFD for invalid UTF-8 and lone surrogates. It does not copy the body.
func newLenientDecoder(body []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
}

// editStrings returns the JSON document with edit applied to every string, names of members included; all other bytes
// stay. A name that an edit makes equal to another one of its object gets U+FFFD appended. A body that is not JSON
// and a document without edits are returned as they are.
func editStrings(body []byte, edit func(string) string) []byte {
	decoder := newLenientDecoder(body)
	var edited, text []byte
	var names memberNames
	copied := 0
	for {
		depth := decoder.StackDepth()
		if decoder.PeekKind() != '"' {
			token, err := decoder.ReadToken()
			switch {
			case errors.Is(err, io.EOF) && copied > 0:
				return append(edited, body[copied:]...)
			case err != nil:
				return body
			case token.Kind() == '{':
				names.open(depth)
			}
			continue
		}
		kind, length := decoder.StackIndex(depth)
		isName := kind == '{' && length%2 == 0
		quoted, err := decoder.ReadValue()
		if err != nil {
			return body
		}
		text, err = jsontext.AppendUnquote(text[:0], quoted) // the error reports characters that were replaced
		changed := edit(string(text))
		isEdited := err != nil || changed != string(text)
		if isName {
			changed, isEdited = names.add(depth, changed, isEdited)
		}
		if isEdited {
			end := int(decoder.InputOffset())
			edited = append(edited, body[copied:end-len(quoted)]...)
			edited, _ = jsontext.AppendQuote(edited, changed) // valid UTF-8 by now
			copied = end
		}
	}
}

// memberNames has the names of the open objects, by depth, and whether each was edited.
type memberNames []map[string]bool

// open begins an object at the depth.
func (n *memberNames) open(depth int) {
	for len(*n) <= depth {
		*n = append(*n, make(map[string]bool))
	}
	clear((*n)[depth])
}

// add makes the name unique in its object, unless it stood there twice in the document.
func (n *memberNames) add(depth int, name string, isEdited bool) (unique string, changed bool) {
	seen := (*n)[depth-1]
	for wasEdited, isTaken := seen[name]; isTaken && (isEdited || wasEdited); wasEdited, isTaken = seen[name] {
		name += replacement
		isEdited = true
	}
	seen[name] = isEdited
	return name, isEdited
}
