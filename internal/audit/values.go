package audit

import (
	"bytes"
	"encoding/json"
	"regexp"
	"unicode/utf8"
)

const (
	maxValue  = 2 << 10  // bytes of a value
	maxValues = 16 << 10 // bytes of the values of an entry, as JSON
)

const (
	ellipsis = "…"    // the end of a value that is cut
	mask     = "****" // instead of a secret
)

var (
	secretName = regexp.MustCompile(`(?i)passw(or)?d|passphrase|secret|token|credential|authorization|(api|private|access|signing|encryption)[-_ ]?key`)
	credential = regexp.MustCompile(`\bsk_[A-Za-z0-9_-]{16,}|\bwhsec_[A-Za-z0-9+/=]{16,}|\bgh[a-z]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}` +
		`|\bxox[a-z]-[\w-]{10,}|\bAKIA[0-9A-Z]{16}\b|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*|\bhooks\.slack\.com/services/[\w/]+`)
	userInfo = regexp.MustCompile(`://[^/?#\s@]+@`)
)

// Member is a member of an object. An empty string, list or object is no value.
type Member struct {
	Name   string
	Value  any                 // anything that JSON can express
	Redact func(string) string // returns what may be shown of the value; nil: all but what looks like a secret
}

// Value is a member that a change gave another value. Text is shown as it is, everything else as JSON; nil: no value.
type Value struct {
	Field       string  `json:"field"`
	Before      *string `json:"before"`
	After       *string `json:"after"`
	IsTruncated bool    `json:"truncated"`
}

// Compare returns the members that differ, in the order of both lists; one list may be shorter: the object, or its
// last member, is new or deleted. Of
// objects with other members, only those that differ are shown.
func Compare(before, after []Member) []Value {
	members := after
	if len(before) > len(after) {
		members = before
	}
	values := make([]Value, 0, len(members))
	for i, member := range members {
		was, is := valueOf(before, i), valueOf(after, i)
		if bytes.Equal(was, is) {
			continue
		}
		was, is = differences(was, is)
		values = append(values, Value{Field: member.Name, Before: show(was, member.Redact), After: show(is, member.Redact)})
	}
	return values
}

// valueOf returns a member's value as JSON, nil if it has none.
func valueOf(members []Member, i int) json.RawMessage {
	if i >= len(members) {
		return nil
	}
	encoded := toJSON(decoded(toJSON(members[i].Value))) // the members of objects in one order
	switch string(encoded) {
	case "null", `""`, "[]", "{}":
		return nil
	}
	return encoded
}

// differences returns two objects without the members that are equal, and other values as they are.
func differences(before, after json.RawMessage) (json.RawMessage, json.RawMessage) {
	var was, is map[string]json.RawMessage
	if json.Unmarshal(before, &was) != nil || json.Unmarshal(after, &is) != nil {
		return before, after
	}
	for name, value := range was {
		if other, found := is[name]; found && bytes.Equal(value, other) {
			delete(was, name)
			delete(is, name)
		}
	}
	return toJSON(was), toJSON(is)
}

// show returns a value as text, without secrets.
func show(encoded json.RawMessage, redact func(string) string) *string {
	if encoded == nil {
		return nil
	}
	var text string
	if json.Unmarshal(encoded, &text) != nil {
		text = string(maskMembers(encoded))
	}
	if redact == nil {
		redact = maskText
	}
	text = redact(text)
	return &text
}

// encode returns the values as JSON, and cuts them until they fit.
func encode(values []Value) json.RawMessage {
	for limit := maxValue; ; limit /= 2 {
		shortened := make([]Value, len(values))
		for i, value := range values {
			for _, text := range []**string{&value.Before, &value.After} {
				if *text != nil {
					cut, isCut := shorten(**text, limit)
					*text = &cut
					value.IsTruncated = value.IsTruncated || isCut
				}
			}
			shortened[i] = value
		}
		if encoded := toJSON(shortened); len(encoded) <= maxValues || limit == 0 {
			return encoded
		}
	}
}

// shorten cuts a text to that many bytes, whole characters, with an ellipsis after them.
func shorten(text string, limit int) (_ string, isCut bool) {
	if len(text) <= limit {
		return text, false
	}
	end := max(0, limit-len(ellipsis))
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis, true
}

// toJSON encodes a value of a member: those of the database and of the domain can be encoded.
func toJSON(value any) json.RawMessage {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err)
	}
	return bytes.TrimSpace(buffer.Bytes())
}

// maskMembers masks the members of objects that have the name of a secret, at any depth.
func maskMembers(encoded json.RawMessage) json.RawMessage {
	return toJSON(masked(decoded(encoded)))
}

// decoded returns the value of JSON that toJSON has encoded, with numbers as they are.
func decoded(encoded json.RawMessage) (value any) {
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		panic(err)
	}
	return value
}

func masked(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			if secretName.MatchString(name) && member != nil {
				value[name] = mask
			} else {
				value[name] = masked(member)
			}
		}
	case []any:
		for i, element := range value {
			value[i] = masked(element)
		}
	}
	return value
}

// maskText masks credentials in a text: those of known formats, and those in addresses.
func maskText(text string) string {
	return userInfo.ReplaceAllString(credential.ReplaceAllString(text, mask), "://"+mask+"@")
}
