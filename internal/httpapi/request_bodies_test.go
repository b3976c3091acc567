package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

// TestCommentsHaveLines stores comments of several lines and of the whole length as they are.
func TestCommentsHaveLines(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	r := newRequest(t, api)
	comment := func(text string) string { return fmt.Sprintf(`{"text":%q}`, text) }
	for _, text := range []string{strings.Repeat("ä", 4000), strings.Repeat("x", 256), "one\n\ttwo\r\n\nthree", "Cafe\u0301 \u200b."} {
		require.Equal(t, text, r.require(t, http.StatusOK, "qa", "/comments", comment(text)).Field(t, "text"))
	}
	for _, body := range []string{
		comment(strings.Repeat("ä", 4001)), comment(""), comment(" \n\t "), `{"text":"\u200b\u00a0"}`, `{"text":"a\u0000b"}`, `{"text":null}`, `{"text":["a"]}`,
	} {
		require.Equal(t, []string{`["body","text"]`}, locs(t, api.As(t, "qa", http.MethodPost, r.path+"/comments", body)), "%.50s", body)
	}
}

// TestNamesInListsOfABody holds names inside lists to the rules of other names.
func TestNamesInListsOfABody(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	template := created(t, api, "/deployment-request-templates/", `{"name":"t"}`)
	steps := func(titles ...string) string {
		var list []string
		for _, title := range titles {
			list = append(list, fmt.Sprintf(`{"phase":"pre","title":%s}`, title))
		}
		return `{"name":"n","steps":[` + strings.Join(list, ",") + `]}`
	}
	for path, method := range map[string]string{
		"/deployment-requests/": http.MethodPost, "/deployment-request-templates/": http.MethodPost, template: http.MethodPatch,
	} {
		for _, title := range []string{`""`, `" "`, `"\u200b"`, `"a\u001bb"`, `"x\ny"`, `"a\u0000"`, `"` + strings.Repeat("x", 256) + `"`, `7`, `null`} {
			require.Equal(t, []string{`["body","steps",1,"title"]`}, locs(t, api.As(t, "admin", method, path, steps(`"ok"`, title))), "%s %s", path, title)
		}
		require.Equal(t, []string{`["body","name"]`, `["body","steps",0,"title"]`, `["body","steps",2,"title"]`},
			locs(t, api.As(t, "admin", method, path, strings.Replace(steps(`"\t"`, `"ok"`, `"a\u0085b"`), `"n"`, `"\u200b"`, 1))), "all at once")
		answer := api.As(t, "admin", method, path, strings.Replace(steps(`"\ufeffCafe\u0301 \u200b\n"`), `"n"`, `"`+method+`"`, 1))
		require.Less(t, answer.Status, 300, "%s", answer.Body)
		if path != "/deployment-requests/" {
			require.Equal(t, "Café", answer.Field(t, "steps").([]any)[0].(map[string]any)["title"])
			continue
		}
		list := items(t, api.As(t, "viewer", http.MethodGet, path+answer.Field(t, "id").(string)+"/steps", ""))
		require.Equal(t, "Café", list[0]["title"])
	}
}

// TestTypesOfSlotsAreNotRepeated reports a repeated type together with the other problems of the body.
func TestTypesOfSlotsAreNotRepeated(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	template := created(t, api, "/deployment-request-templates/", `{"name":"t"}`)
	for path, method := range map[string]string{
		"/deployment-requests/": http.MethodPost, "/deployment-request-templates/": http.MethodPost, template: http.MethodPatch,
	} {
		send := func(body string) testapi.Answer { return api.As(t, "admin", method, path, body) }
		require.Equal(t, []string{`["body","approvals",1,"approval_type"]`, `["body","approvals",3,"approval_type"]`},
			locs(t, send(`{"name":"n","approvals":[{"approval_type":"qa"},{"approval_type":"qa_engineer"},{"approval_type":"uat"},{"approval_type":"product"}]}`)), path)
		require.Equal(t, []string{`["body","approvals",1,"approval_type"]`, `["body","approvals",2,"approval_type"]`, `["body","name"]`, `["body","steps",0,"phase"]`, `["body","x"]`},
			locs(t, send(`{"name":" ","x":1,"approvals":[{"approval_type":"qa"},{"approval_type":"qa"},{"approval_type":"unknown"}],"steps":[{"phase":"mid","title":"s"}]}`)), "all at once")
		for _, approvals := range []string{`null`, `7`, `{}`, `[7,7]`, `[null,null]`, `[{},{}]`, `[{"approval_type":7},{"approval_type":7}]`} {
			for _, loc := range locs(t, send(`{"name":"n","approvals":`+approvals+`}`)) {
				require.Contains(t, loc, `["body","approvals"`, approvals)
			}
		}
	}
}

// TestSizesOfLists describes lists that are too short, too long or have an item twice.
func TestSizesOfLists(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	id := `"` + uuid.NewString() + `"`
	detail := func(method, path, body string) map[string]any {
		answer := api.As(t, "admin", method, path, body)
		require.Equal(t, http.StatusUnprocessableEntity, answer.Status, "%s", answer.Body)
		details := answer.Field(t, "detail").([]any)
		require.Len(t, details, 1, "%s", answer.Body)
		return details[0].(map[string]any)
	}
	list := func(items string) string { return `{"name":"n","environment_ids":[` + items + `]}` }
	problem := func(msg, kind string) map[string]any {
		return map[string]any{"loc": []any{"body", "environment_ids"}, "msg": msg, "type": "value_error.list." + kind}
	}
	request := created(t, api, "/deployment-requests/", `{"name":"r"}`)
	require.Equal(t, problem("ensure this value has at least 1 items", "min_items"), detail(http.MethodPost, "/deployment-requests/", list("")))
	require.Equal(t, problem("ensure this value has at least 1 items", "min_items"), detail(http.MethodPatch, request, list("")))
	require.Equal(t, problem("ensure this value has at most 50 items", "max_items"), detail(http.MethodPost, "/deployment-requests/", list(strings.Repeat(id+",", 50)+id)))
	require.Equal(t, problem("the items must not be repeated", "unique_items"), detail(http.MethodPost, "/deployment-templates/",
		`{"name":"n","product_id":`+id+`,"url_template":"https://ci.example.com/","environment_ids":[`+id+","+id+`]}`))
}

// TestPositionsOfAddedSteps adds steps behind the others of their phase.
func TestPositionsOfAddedSteps(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	r := newRequest(t, api)
	for _, step := range []struct {
		phase, position string
		want            float64
	}{
		{"pre", "", 0},
		{"pre", `,"position":1000`, 1000},
		{"post", "", 0},
		{"post", "", 1},
		{"post", `,"position":998`, 998},
		{"post", "", 999},
		{"post", "", 1000},
		{"post", "", 1000},
		{"pre", "", 1000},
		{"pre", `,"position":3`, 3},
	} {
		answer := r.require(t, http.StatusOK, "product", "/steps", fmt.Sprintf(`{"phase":%q,"title":"s"%s}`, step.phase, step.position))
		require.InDelta(t, step.want, answer.Field(t, "position"), 0, "%v", step)
	}
	require.Equal(t, []string{`["body","position"]`}, locs(t, api.As(t, "product", http.MethodPost, r.path+"/steps", `{"phase":"pre","title":"s","position":1001}`)))
}

// TestOpenOptionalApprovals lists optional slots until they are decided about.
func TestOpenOptionalApprovals(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	r := newRequest(t, api, "security")
	for _, approvalType := range []string{"qa", "uat"} {
		r.require(t, http.StatusOK, "product", "/approvals", fmt.Sprintf(`{"approval_type":%q,"required":false}`, approvalType))
	}
	requireOpen := func(want ...any) {
		t.Helper()
		request := r.get(t)
		require.ElementsMatch(t, want, request.Field(t, "open_optional_approvals"))
		require.Equal(t, []any{"security"}, request.Field(t, "open_approvals"))
	}
	r.require(t, http.StatusOK, "product", "/activate", "")
	requireOpen("qa", "uat")
	r.require(t, http.StatusOK, "qa", r.slot(t, "qa")+"/reject", declined)
	requireOpen("uat")
	r.require(t, http.StatusOK, "admin", r.slot(t, "qa")+"/reset", agreed)
	requireOpen("qa", "uat")
	r.require(t, http.StatusOK, "qa", r.slot(t, "qa")+"/approve", agreed)
	r.require(t, http.StatusOK, "admin", r.slot(t, "uat")+"/approve", agreed)
	requireOpen()
}
