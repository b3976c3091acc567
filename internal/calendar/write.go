package calendar

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/versioner-io/versioner/internal/policy"
)

// MaxEvents is how many events a calendar has at most.
const MaxEvents = 2000

const (
	utcTime = "20060102T150405Z"
	maxLine = 75 // octets of a line, RFC 5545 §3.1
	lineEnd = "\r\n"
)

// Write returns the first MaxEvents items as iCalendar: an event in UTC for each occurrence, so that no client expands a recurrence
// differently. Deny windows are busy, allow windows free. stamp is when the calendar was made; equal items have equal events.
func Write(items []Item, stamp time.Time) []byte {
	w := writer{}
	for _, line := range []string{"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Versioner//Deployment calendar//EN", "CALSCALE:GREGORIAN", "METHOD:PUBLISH", "X-WR-CALNAME:Deployment calendar", "REFRESH-INTERVAL;VALUE=DURATION:PT1H", "X-PUBLISHED-TTL:PT1H"} {
		w.line(line)
	}
	seen := make(map[string]int)
	for _, item := range items[:min(len(items), MaxEvents)] {
		uid := uidOf(item)
		seen[uid]++
		w.event(item, fmt.Sprintf("%s-%d@versioner", uid, seen[uid]), stamp)
	}
	w.line("END:VCALENDAR")
	return w.Bytes()
}

// uidOf identifies an occurrence while its rule, window and start stay. Equal windows of a rule are numbered.
func uidOf(item Item) string {
	window := sha256.Sum256([]byte(string(item.Effect) + "\x00" + item.WindowName))
	return item.RuleID.String() + "-" + item.StartsAt.UTC().Format(utcTime) + "-" + hex.EncodeToString(window[:8])
}

type writer struct{ bytes.Buffer }

func (w *writer) event(item Item, uid string, stamp time.Time) {
	transparency, status := "OPAQUE", "CONFIRMED"
	if item.Effect == policy.Allow {
		transparency = "TRANSPARENT"
	}
	if item.Mode != policy.Enabled {
		status = "TENTATIVE"
	}
	w.line("BEGIN:VEVENT")
	w.line("UID:" + uid)
	w.line("DTSTAMP:" + stamp.UTC().Format(utcTime))
	w.line("DTSTART:" + item.StartsAt.UTC().Format(utcTime))
	w.line("DTEND:" + item.EndsAt.UTC().Format(utcTime))
	w.line("SUMMARY:" + escape(item.RuleName+": "+item.WindowName))
	if item.Reason != nil && *item.Reason != "" {
		w.line("DESCRIPTION:" + escape(*item.Reason))
	}
	w.line("STATUS:" + status)
	w.line("TRANSP:" + transparency)
	w.line("END:VEVENT")
}

// line writes a content line, folded where it is too long, and never inside of a character.
func (w *writer) line(text string) {
	room := maxLine
	for len(text) > room {
		cut := room
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		w.WriteString(text[:cut] + lineEnd + " ")
		text, room = text[cut:], maxLine-len(" ")
	}
	w.WriteString(text + lineEnd)
}

// escape returns a TEXT value, RFC 5545 §3.3.11. Control characters, which it cannot have, are left out.
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\r\n", `\n`, "\n", `\n`, "\r", `\n`).Replace(strings.ToValidUTF8(text, "\uFFFD"))
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7F {
			return -1
		}
		return r
	}, text)
}
