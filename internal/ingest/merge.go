package ingest

import (
	"bytes"
	"encoding/json"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxMetadata bounds merged metadata, in bytes: four times the limit of one event.
const maxMetadata = 1 << 20

// merge returns the details with those of a newer event, which win.
func (d Details) merge(newer Details) Details {
	for _, field := range []struct {
		target *string
		value  string
	}{
		{&d.SourceSystem, newer.SourceSystem},
		{&d.BuildNumber, newer.BuildNumber},
		{&d.SHA, newer.SHA},
		{&d.Branch, newer.Branch},
		{&d.Repository, newer.Repository},
		{&d.URL, newer.URL},
		{&d.By, newer.By},
		{&d.ByEmail, newer.ByEmail},
		{&d.ByName, newer.ByName},
		{&d.ErrorMessage, newer.ErrorMessage},
		{&d.ErrorCode, newer.ErrorCode},
	} {
		if field.value != "" {
			*field.target = field.value
		}
	}
	return d
}

// mergeMetadata merges the metadata of successive events key by key; the newer value wins. Where the result would be too
// large, the newer metadata stands alone; where it would be the same, it is the older metadata byte by byte.
func mergeMetadata(older, newer json.RawMessage) json.RawMessage {
	if len(newer) <= len("{}") {
		return older
	}
	if len(older) <= len("{}") {
		return newer
	}
	options := jsonv2.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true), jsonv2.Deterministic(true))
	var merged, added map[string]jsontext.Value
	if jsonv2.Unmarshal(older, &merged, options) != nil || jsonv2.Unmarshal(newer, &added, options) != nil {
		return newer // both were validated
	}
	isChanged := false
	for key, value := range added {
		isChanged = isChanged || !bytes.Equal(merged[key], value)
		merged[key] = value
	}
	if !isChanged {
		return older
	}
	encoded, err := jsonv2.Marshal(merged, options)
	if err != nil || len(encoded) > maxMetadata {
		return newer
	}
	return encoded
}
