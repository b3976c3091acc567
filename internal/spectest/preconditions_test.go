package spectest_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// TestIfMatch sends each change that has If-Match with the tag of another revision, which returns 412 and changes nothing, and with
// the current tag, which succeeds.
func TestIfMatch(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	all := operations(f.document)
	walked := 0
	for _, op := range all {
		read := slices.IndexFunc(all, func(other operation) bool { return other.path == op.path && other.method == http.MethodGet })
		if !op.takes("If-Match") {
			isItem := strings.Contains(op.path, "{") // "sign out everywhere" deletes a collection, which has no revision
			changes := op.method == http.MethodPatch || op.method == http.MethodDelete && read >= 0 && isItem
			require.False(t, changes, "%s changes an object and has no If-Match", op.OperationID)
			continue
		}
		walked++
		if read < 0 { // the change of a part of an object
			read = slices.IndexFunc(all, func(other operation) bool { return other.path == path.Dir(op.path) && other.method == http.MethodGet })
		}
		t.Run(op.OperationID, func(t *testing.T) {
			base := f.base(t, op)
			tag := f.send(t, all[read], requestCase{path: base.path}).Header.Get("ETag")
			require.Regexp(t, `^"\d+"$`, tag)
			before := f.snapshot(t)
			for _, stale := range []string{`"77"`, `"0"`, "W/" + tag, strings.Trim(tag, `"`), "nonsense", `"`, ",", tag[:len(tag)-1], `"77", "78"`} {
				c := base.with("If-Match: " + stale)
				c.header.Set("If-Match", stale)
				answer := f.send(t, op, c)
				require.Equal(t, http.StatusPreconditionFailed, answer.Status, "%s\n%s", c.describe(op), answer.Body)
			}
			require.Equal(t, before, f.snapshot(t), "nothing is changed")

			fresh := base.with("If-Match with the tag")
			fresh.header.Set("If-Match", `"77", `+tag)
			answer := f.send(t, op, fresh)
			require.Equal(t, op.success(t), answer.Status, "%s\n%s", fresh.describe(op), answer.Body)
			if op.method != http.MethodDelete {
				require.NotEqual(t, tag, answer.Header.Get("ETag"), "a change increments the revision")
				require.Equal(t, answer.Header.Get("ETag"), f.send(t, all[read], requestCase{path: base.path}).Header.Get("ETag"), "GET returns the same tag")
				require.Equal(t, http.StatusPreconditionFailed, f.send(t, op, fresh).Status, "the tag is stale")
			}
		})
	}
	require.NotZero(t, walked)
}

// TestIfNoneMatch repeats each request that has If-None-Match with the tag of the first response, which returns 304 without a body.
func TestIfNoneMatch(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	walked := 0
	for _, op := range operations(f.document) {
		if !op.takes("If-None-Match") {
			continue
		}
		walked++
		t.Run(op.OperationID, func(t *testing.T) {
			base := f.base(t, op)
			read := func(ifNoneMatch string) testapi.Answer {
				c := base.with("If-None-Match: " + ifNoneMatch)
				if ifNoneMatch != "" {
					c.header.Set("If-None-Match", ifNoneMatch)
				}
				return f.send(t, op, c)
			}
			first := read("")
			require.Equal(t, http.StatusOK, first.Status, "%s", first.Body)
			tag := first.Header.Get("ETag")
			require.Regexp(t, `^W/"[\w-]+"$`, tag, "the body may be compressed")
			strong := strings.TrimPrefix(tag, "W/")
			for _, known := range []string{tag, strong, `"other", ` + tag, `"other",` + strong, "*"} {
				same := read(known)
				require.Equal(t, http.StatusNotModified, same.Status, known)
				require.Empty(t, same.Body)
				for _, name := range []string{"ETag", "Cache-Control", "Vary"} {
					require.Equal(t, first.Header.Values(name), same.Header.Values(name), "%s is that of the response", name)
				}
				require.Empty(t, same.Header.Get("Content-Type"))
			}
			for _, unknown := range []string{`"77"`, strings.Trim(strong, `"`), "nonsense", `"`, ",", tag[:len(tag)-1]} {
				other := read(unknown)
				require.Equal(t, http.StatusOK, other.Status, unknown)
				require.Equal(t, first.Body, other.Body)
			}
		})
	}
	require.Positive(t, walked)
}

// TestIdempotencyKey sends each request with an Idempotency-Key twice: the second response is a replay and nothing is written. The key
// is rejected for another request.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	walked := 0
	for _, op := range operations(f.document) {
		if !op.takes("Idempotency-Key") {
			// A message cannot be taken back, signing out ends the credential of a replay, and questions change nothing.
			isExempt := op.method != http.MethodPost || slices.Contains([]string{"testNotificationChannel", "signOut", "backtestDeploymentRule", "preflight", "renderDeploymentTemplate"}, op.OperationID)
			require.True(t, isExempt, "%s: a POST has an Idempotency-Key", op.OperationID)
			continue
		}
		walked++
		t.Run(op.OperationID, func(t *testing.T) {
			base, other := f.base(t, op), f.base(t, op)
			base.header.Set("Idempotency-Key", f.uniqueName())
			other.header = base.header
			first := f.send(t, op, base)
			require.Equal(t, op.success(t), first.Status, "%s\n%s", base.describe(op), first.Body)
			require.Empty(t, first.Header.Get("Idempotent-Replayed"))
			before := f.snapshot(t)
			replay := f.send(t, op, base)
			require.Equal(t, first.Status, replay.Status)
			require.JSONEq(t, string(first.Body), string(replay.Body))
			require.Equal(t, "true", replay.Header.Get("Idempotent-Replayed"))
			require.Equal(t, first.Header.Get("ETag"), replay.Header.Get("ETag"))

			rejected := f.send(t, op, other)
			require.Equal(t, http.StatusUnprocessableEntity, rejected.Status, "%s", rejected.Body)
			require.Equal(t, []string{`["header","Idempotency-Key"]`}, locationsOf(t, rejected))
			after := f.snapshot(t)
			if slices.Contains([]string{"createAPIKey", "rotateAPIKey", "createCalendarFeed"}, op.OperationID) { // the replay returns a secret again
				var replays int
				f.api.Scan(t, "SELECT count(*) FROM audit_log WHERE action IN ('api_key.replay', 'calendar_feed.replay') AND object_id::text = '"+first.Field(t, "id").(string)+"'", &replays)
				require.Equal(t, 1, replays, "the replay is in the audit log")
				after["audit_log"] = before["audit_log"]
			}
			require.Equal(t, before, after, "nothing is written")
		})
	}
	require.NotZero(t, walked)
}

// TestForeignCursorsAreRejected sends malformed cursors and those of another list, filter and account to each list.
func TestForeignCursorsAreRejected(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.populate(t)
	all := operations(f.document)
	cursors := make(map[string]string)
	targets := make(map[string]requestCase)
	for _, op := range all {
		if op.isList() {
			c := f.withFreshTargets(t, op, requestCase{}.with("a list"))
			f.populateChildren(t, op, c)
			targets[op.OperationID], cursors[op.OperationID] = c, f.cursor(t, op, c)
		}
	}
	require.Greater(t, len(cursors), 1)
	for _, op := range all {
		if !op.isList() {
			continue
		}
		t.Run(op.OperationID, func(t *testing.T) {
			own := cursors[op.OperationID]
			raw, err := base64.RawURLEncoding.DecodeString(own)
			require.NoError(t, err)
			bad := []string{"x", "nonsense", "==", "AAAA", own + "A", own[:len(own)-1], own[1:], flip(own, 3), flip(own, len(own)-5), base64.StdEncoding.EncodeToString(raw) + "=", " " + own, "../../etc/passwd", "' OR 1=1 --"}
			for id, cursor := range cursors {
				if id != op.OperationID {
					bad = append(bad, cursor)
				}
			}
			list := func(cursor string, more url.Values) testapi.Answer {
				c := targets[op.OperationID].with("a cursor")
				c.query = url.Values{"cursor": {cursor}}
				maps.Copy(c.query, more)
				return f.send(t, op, c)
			}
			for _, cursor := range bad {
				answer := list(cursor, nil)
				require.Equal(t, http.StatusUnprocessableEntity, answer.Status, "%q: %s", cursor, answer.Body)
				require.Equal(t, []string{`["query","cursor"]`}, locationsOf(t, answer))
			}
			require.Equal(t, http.StatusOK, list(own, nil).Status)
			require.Equal(t, http.StatusOK, list(own, url.Values{"limit": {"200"}}).Status, "pages may have another size")
			for _, reference := range op.paramsIn("query") {
				if name := reference.Value.Name; name != "cursor" && name != "limit" {
					filter := url.Values{name: {fmt.Sprint(reference.Value.Example)}}
					require.Equal(t, http.StatusUnprocessableEntity, list(own, filter).Status, "another filter: %s", name)
				}
			}
			if !strings.Contains(op.path, "{") {
				request := f.api.Request(t, op.method, op.path+"?cursor="+own, nil)
				request.Header.Set("Authorization", "Bearer "+f.api.Token(t, "other", "admin"))
				require.Equal(t, http.StatusUnprocessableEntity, f.api.Do(t, request).Status, "another account")
			}
		})
	}
}
