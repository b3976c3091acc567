package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/quota"
	"github.com/versioner-io/versioner/internal/testapi"
)

func templateBody(product string, environments ...string) string {
	body, err := json.Marshal(map[string]any{
		"name": "Run workflow", "product_id": product, "environment_ids": environments, "url_template": "https://ci.example.com/job/{{job}}?version={{vi_version}}",
	})
	if err != nil {
		panic(err)
	}
	return string(body)
}

// deployed is a deployed version of a product, and the environment.
type deployed struct{ product, version, environment string }

func deploy(t *testing.T, api *testapi.API, product, version, environment string) deployed {
	t.Helper()
	event := api.PostEvent(t, deploymentEvents, deployment(map[string]any{"product_name": product, "version": version, "environment_name": environment}))
	id := func(name string) string { return event.Field(t, name).(string) }
	return deployed{product: id("product_id"), version: id("version_id"), environment: id("environment_id")}
}

// render renders a template as a viewer.
func render(t *testing.T, api *testapi.API, template string, subject deployed) testapi.Answer {
	t.Helper()
	return api.As(t, "viewer", http.MethodPost, template+"/render", fmt.Sprintf(`{"version_id":%q,"environment_id":%q}`, subject.version, subject.environment))
}

func requireURL(t *testing.T, want string, answer testapi.Answer) {
	t.Helper()
	require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	require.Equal(t, want, answer.Field(t, "url"))
}

// msgs returns the messages of a 422.
func msgs(t *testing.T, answer testapi.Answer) (texts []string) {
	t.Helper()
	require.Equal(t, http.StatusUnprocessableEntity, answer.Status, "%s", answer.Body)
	var body struct{ Detail []struct{ Msg string } }
	require.NoError(t, json.Unmarshal(answer.Body, &body))
	for _, item := range body.Detail {
		texts = append(texts, item.Msg)
	}
	return texts
}

func TestRenderedTemplates(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	subject := deploy(t, api, "checkout & co", "1.4.2+é", "prod/eu")
	template := created(t, api, "/deployment-templates/", templateBody(subject.product, subject.environment))
	change := func(text string) {
		t.Helper()
		answer := api.As(t, "admin", http.MethodPatch, template, fmt.Sprintf(`{"url_template":%q}`, text))
		require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	}

	t.Run("VariablesOfTheProductPrevail", func(t *testing.T) {
		require.Equal(t, []string{"Missing variable: job"}, msgs(t, render(t, api, template, subject)))
		created(t, api, "/variables/", `{"key":"job","value":"all products"}`)
		requireURL(t, "https://ci.example.com/job/all%20products?version=1.4.2%2B%C3%A9", render(t, api, template, subject))
		own := created(t, api, "/variables/", fmt.Sprintf(`{"key":"job","value":"{{vi_sha}}","product_id":%q}`, subject.product))
		created(t, api, "/variables/", fmt.Sprintf(`{"key":"job","value":"other","product_id":%q}`, deploy(t, api, "other", "1", "prod/eu").product))
		requireURL(t, "https://ci.example.com/job/%7B%7Bvi_sha%7D%7D?version=1.4.2%2B%C3%A9", render(t, api, template, subject))
		require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPatch, own, `{"value":"new"}`).Status)
		requireURL(t, "https://ci.example.com/job/new?version=1.4.2%2B%C3%A9", render(t, api, template, subject))
		require.Equal(t, http.StatusNoContent, api.As(t, "admin", http.MethodDelete, own, "").Status)
		requireURL(t, "https://ci.example.com/job/all%20products?version=1.4.2%2B%C3%A9", render(t, api, template, subject))
	})

	t.Run("SystemVariables", func(t *testing.T) {
		change("https://ci/{{vi_product_id}}/{{vi_product_name}}/{{vi_environment_id}}/{{vi_environment_name}}/{{vi_version}}")
		requireURL(t, "https://ci/"+subject.product+"/checkout%20%26%20co/"+subject.environment+"/prod%2Feu/1.4.2%2B%C3%A9", render(t, api, template, subject))
		change("https://ci/{{vi_sha}}/{{a}}/{{vi_build_number}}/{{b}}")
		require.Equal(t, []string{"Missing variable: vi_sha", "Missing variable: a", "Missing variable: vi_build_number", "Missing variable: b"}, msgs(t, render(t, api, template, subject)))
		api.PostEvent(t, builds, map[string]any{"product_name": "checkout & co", "version": "1.4.2+é", "status": "completed", "scm_sha": "abcdef1", "build_number": "17"})
		change("https://ci/{{vi_sha}}/{{vi_build_number}}")
		requireURL(t, "https://ci/abcdef1/17", render(t, api, template, subject))
	})

	t.Run("ValuesDoNotChangeThePath", func(t *testing.T) {
		parent := deploy(t, api, "checkout & co", "..", "prod/eu")
		change("https://ci/job/{{vi_version}}/run")
		require.Equal(t, []string{"the values of the variables make a path segment . or .."}, msgs(t, render(t, api, template, parent)))
	})

	t.Run("OnlyForItsProductAndEnvironments", func(t *testing.T) {
		other := deploy(t, api, "other", "2", "elsewhere")
		require.Equal(t, []string{"must be a version of the template's product", "must be one of the template's environments"}, msgs(t, render(t, api, template, other)))
	})

	t.Run("DisabledTemplates", func(t *testing.T) {
		change("https://ci/")
		require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPatch, template, `{"enabled":false}`).Status)
		requireURL(t, "https://ci/", render(t, api, template, subject))
	})
}

func TestInvalidVariablesAndTemplates(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	subject := deploy(t, api, "checkout", "1", "production")
	for body, want := range map[string][]string{
		`{"key":"vi_x","value":"v"}`:                               {`["body","key"]`},
		`{"key":"vi_version","value":"v"}`:                         {`["body","key"]`},
		`{"key":"Job","value":"v"}`:                                {`["body","key"]`},
		`{"key":"","value":"v"}`:                                   {`["body","key"]`},
		`{"key":"` + strings.Repeat("k", 65) + `","value":"v"}`:    {`["body","key"]`},
		`{"key":"k","value":"` + strings.Repeat("v", 2001) + `"}`:  {`["body","value"]`},
		`{"key":"vi_x","value":1,"product_id":"x","enabled":true}`: {`["body","key"]`, `["body","value"]`, `["body","product_id"]`, `["body","enabled"]`},
		`{"key":"k","value":"a\u0000b"}`:                           {`["body","value"]`},
		`{"key":"k"}`:                                              {`["body","value"]`},
	} {
		answer := api.As(t, "admin", http.MethodPost, "/variables/", body)
		require.Equal(t, http.StatusUnprocessableEntity, answer.Status, "%s: %s", body, answer.Body)
		require.ElementsMatch(t, want, locs(t, answer), body)
	}
	id, product := subject.environment, subject.product
	for body, want := range map[string][]string{
		`{"name":"n","product_id":"` + product + `","environment_ids":["` + id + `"],"url_template":"javascript:alert(1)"}`: {`["body","url_template"]`},
		`{"name":" ","product_id":"` + product + `","environment_ids":[],"url_template":"https://ada@ci/{{vi_x}}"}`: {
			`["body","name"]`, `["body","environment_ids"]`, `["body","url_template"]`, `["body","url_template"]`,
		},
		`{"name":"n","product_id":"` + product + `","environment_ids":["` + id + `","` + id + `"],"url_template":"https://ci/"}`:            {`["body","environment_ids"]`},
		`{"name":"n","product_id":"` + product + `","environment_ids":["x"],"url_template":"https://ci/` + strings.Repeat("a", 4096) + `"}`: {`["body","environment_ids",0]`, `["body","url_template"]`},
	} {
		answer := api.As(t, "admin", http.MethodPost, "/deployment-templates/", body)
		require.Equal(t, http.StatusUnprocessableEntity, answer.Status, "%s: %s", body, answer.Body)
		require.ElementsMatch(t, want, locs(t, answer), body)
	}
	template := created(t, api, "/deployment-templates/", templateBody(product, id))
	answer := api.As(t, "admin", http.MethodPatch, template, `{"url_template":"https://{{host}}/","enabled":1}`)
	require.Equal(t, http.StatusUnprocessableEntity, answer.Status)
	require.ElementsMatch(t, []string{`["body","url_template"]`, `["body","enabled"]`}, locs(t, answer))
	require.Zero(t, api.Count(t, "variables"))
	require.Equal(t, 1, api.Count(t, "deployment_templates"))
}

func TestOneTemplateForAProductAndAnEnvironment(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	one, two := deploy(t, api, "checkout", "1", "production"), deploy(t, api, "checkout", "1", "staging")
	other := deploy(t, api, "other", "1", "production")
	template := created(t, api, "/deployment-templates/", templateBody(one.product, one.environment))
	created(t, api, "/deployment-templates/", templateBody(other.product, one.environment))
	const taken = `{"detail":"Another template of the product has these environments: production"}`

	answer := api.As(t, "admin", http.MethodPost, "/deployment-templates/", templateBody(one.product, two.environment, one.environment))
	require.Equal(t, http.StatusConflict, answer.Status)
	require.JSONEq(t, taken, string(answer.Body))
	second := created(t, api, "/deployment-templates/", templateBody(one.product, two.environment))
	answer = api.As(t, "admin", http.MethodPatch, second, fmt.Sprintf(`{"environment_ids":[%q]}`, one.environment))
	require.Equal(t, http.StatusConflict, answer.Status)
	require.JSONEq(t, taken, string(answer.Body))
	require.Equal(t, []any{two.environment}, api.As(t, "viewer", http.MethodGet, second, "").Field(t, "environment_ids"))

	t.Run("DisabledOnesToo", func(t *testing.T) {
		require.Equal(t, http.StatusOK, api.As(t, "admin", http.MethodPatch, template, `{"enabled":false}`).Status)
		require.Equal(t, http.StatusConflict, api.As(t, "admin", http.MethodPost, "/deployment-templates/", templateBody(one.product, one.environment)).Status)
	})
	t.Run("DeletedAndChangedOnesFreeTheirs", func(t *testing.T) {
		require.Equal(t, http.StatusNoContent, api.As(t, "admin", http.MethodDelete, template, "").Status)
		answer := api.As(t, "admin", http.MethodPatch, second, fmt.Sprintf(`{"environment_ids":[%q]}`, one.environment))
		require.Equal(t, http.StatusOK, answer.Status)
		require.Equal(t, []any{"production"}, answer.Field(t, "environment_names"))
		created(t, api, "/deployment-templates/", templateBody(one.product, two.environment))
	})
	t.Run("Concurrently", func(t *testing.T) {
		third := deploy(t, api, "third", "1", "production")
		statuses := map[int]int{}
		for _, answer := range concurrently(8, func(int) testapi.Answer {
			return api.As(t, "admin", http.MethodPost, "/deployment-templates/", templateBody(third.product, two.environment, one.environment))
		}) {
			statuses[answer.Status]++
		}
		require.Equal(t, map[int]int{http.StatusCreated: 1, http.StatusConflict: 7}, statuses)
	})
	t.Run("KeysOfVariables", func(t *testing.T) {
		created(t, api, "/variables/", `{"key":"k","value":""}`)
		own := fmt.Sprintf(`{"key":"k","value":"","product_id":%q}`, one.product)
		created(t, api, "/variables/", own)
		for _, body := range []string{`{"key":"k","value":"other"}`, own} {
			answer := api.As(t, "admin", http.MethodPost, "/variables/", body)
			require.Equal(t, http.StatusConflict, answer.Status)
			require.JSONEq(t, `{"detail":"Key already in use"}`, string(answer.Body))
		}
	})
}

func TestDeletedProductsAndEnvironmentsOfTemplates(t *testing.T) {
	t.Parallel()
	api := testapi.New(t, testapi.WithQuotas(quota.Limits{Variables: 1, DeploymentTemplates: 1}))
	one, two := deploy(t, api, "checkout", "1", "production"), deploy(t, api, "checkout", "1", "staging")
	template := created(t, api, "/deployment-templates/", templateBody(one.product, one.environment, two.environment))
	variable := created(t, api, "/variables/", fmt.Sprintf(`{"key":"job","value":"j","product_id":%q}`, one.product))
	require.Contains(t, string(api.As(t, "admin", http.MethodPost, "/deployment-templates/", templateBody(one.product, deploy(t, api, "checkout", "1", "third").environment)).Body), "maximum of 1 deployment templates")

	require.Equal(t, http.StatusNoContent, api.As(t, "admin", http.MethodDelete, "/environments/"+two.environment, "").Status)
	answer := api.As(t, "viewer", http.MethodGet, template, "")
	require.Equal(t, []any{one.environment}, answer.Field(t, "environment_ids"))
	require.Equal(t, []any{"production"}, answer.Field(t, "environment_names"))
	require.Equal(t, http.StatusNotFound, render(t, api, template, two).Status)
	requireURL(t, "https://ci.example.com/job/j?version=1", render(t, api, template, one))
	require.Equal(t, http.StatusNotFound, api.As(t, "admin", http.MethodPatch, template, fmt.Sprintf(`{"environment_ids":[%q]}`, two.environment)).Status)
	require.Equal(t, http.StatusNotFound, api.As(t, "admin", http.MethodPatch, template, fmt.Sprintf(`{"environment_ids":[%q]}`, uuid.NewString())).Status)

	require.Equal(t, http.StatusNoContent, api.As(t, "admin", http.MethodDelete, "/products/"+one.product, "").Status)
	for _, path := range []string{template, variable} {
		for _, method := range []string{http.MethodGet, http.MethodPatch, http.MethodDelete} {
			require.Equal(t, http.StatusNotFound, api.As(t, "admin", method, path, `{}`).Status, "%s %s", method, path)
		}
	}
	require.Equal(t, http.StatusNotFound, render(t, api, template, one).Status)
	require.Empty(t, items(t, api.As(t, "viewer", http.MethodGet, "/deployment-templates/", "")))
	require.Empty(t, items(t, api.As(t, "viewer", http.MethodGet, "/variables/", "")))
	require.Equal(t, http.StatusNotFound, api.As(t, "admin", http.MethodPost, "/deployment-templates/", templateBody(one.product, one.environment)).Status)
	require.Equal(t, http.StatusNotFound, api.As(t, "admin", http.MethodPost, "/variables/", fmt.Sprintf(`{"key":"job","value":"","product_id":%q}`, one.product)).Status)

	again := deploy(t, api, "checkout", "1", "production")
	created(t, api, "/deployment-templates/", templateBody(again.product, again.environment))
	created(t, api, "/variables/", fmt.Sprintf(`{"key":"job","value":"","product_id":%q}`, again.product))
}

// TestTemplatesOfOtherAccounts names objects of another account in bodies.
func TestTemplatesOfOtherAccounts(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	mine := deploy(t, api, "checkout", "1", "production")
	theirs := newTenant(t, api, "other")
	for _, body := range []string{templateBody(theirs.ids["product"], mine.environment), templateBody(mine.product, mine.environment, theirs.ids["environment"])} {
		require.Equal(t, http.StatusNotFound, api.As(t, "admin", http.MethodPost, "/deployment-templates/", body).Status)
	}
	template := created(t, api, "/deployment-templates/", templateBody(mine.product, mine.environment))
	answer := api.As(t, "admin", http.MethodPatch, template, fmt.Sprintf(`{"environment_ids":[%q]}`, theirs.ids["environment"]))
	require.Equal(t, http.StatusNotFound, answer.Status)
	require.Equal(t, []string{"Missing variable: job"}, msgs(t, render(t, api, template, mine)))
}

func TestFiltersOfTemplates(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	one, two := deploy(t, api, "checkout", "1", "production"), deploy(t, api, "other", "1", "staging")
	first := path.Base(created(t, api, "/deployment-templates/", templateBody(one.product, one.environment)))
	second := path.Base(created(t, api, "/deployment-templates/", templateBody(two.product, two.environment, one.environment)))
	third := path.Base(created(t, api, "/deployment-templates/", templateBody(one.product, two.environment)))
	for query, want := range map[string][]string{
		"": {third, second, first}, "?product=checkout": {third, first}, "?product=" + two.product: {second}, "?environment=production": {second, first},
		"?product=checkout&environment=" + two.environment: {third}, "?product=none": nil, "?environment=none": nil,
	} {
		var got []string
		for _, item := range items(t, api.As(t, "viewer", http.MethodGet, "/deployment-templates/"+query, "")) {
			got = append(got, item["id"].(string))
		}
		require.Equal(t, want, got, query)
	}
}

func TestChangesOfTemplatesAreAudited(t *testing.T) {
	t.Parallel()
	api := testapi.New(t)
	one, two := deploy(t, api, "checkout", "1", "production"), deploy(t, api, "checkout", "1", "staging")
	template := created(t, api, "/deployment-templates/", templateBody(one.product, one.environment))
	variable := created(t, api, "/variables/", `{"key":"job","value":"j"}`)
	first := api.As(t, "viewer", http.MethodGet, template, "").Header.Get("ETag")
	for _, change := range []struct {
		path, body string
		isChange   bool
	}{
		{template, `{"name":"Run workflow"}`, false},
		{template, fmt.Sprintf(`{"environment_ids":[%q]}`, one.environment), false},
		{template, `{}`, false},
		{template, `{"name":" Deploy "}`, true},
		{template, fmt.Sprintf(`{"environment_ids":[%q,%q]}`, two.environment, one.environment), true},
		{template, `{"enabled":false}`, true},
		{variable, `{"value":"j"}`, false},
		{variable, `{}`, false},
		{variable, `{"value":"k"}`, true},
	} {
		before := api.Count(t, "audit_log")
		was := api.As(t, "viewer", http.MethodGet, change.path, "").Header.Get("ETag")
		answer := api.As(t, "admin", http.MethodPatch, change.path, change.body)
		require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
		require.Equal(t, change.isChange, answer.Header.Get("ETag") != was, change.body)
		require.Equal(t, change.isChange, api.Count(t, "audit_log") == before+1, change.body)
	}
	require.Equal(t, "Deploy", api.As(t, "viewer", http.MethodGet, template, "").Field(t, "name"))
	for _, target := range []string{template, variable} {
		request := api.Request(t, http.MethodDelete, target, nil)
		request.Header.Set("Authorization", "Bearer "+api.Token(t, testapi.Account, "admin"))
		request.Header.Set("If-Match", first)
		require.Equal(t, http.StatusPreconditionFailed, api.Do(t, request).Status)
		require.Equal(t, http.StatusNoContent, api.As(t, "admin", http.MethodDelete, target, "").Status)
	}
	var actions []string
	api.Scan(t, "SELECT array_agg(action ORDER BY occurred_at, id) FROM audit_log WHERE object_type IN ('variable', 'deployment_template')", &actions)
	require.Equal(t, []string{
		"deployment_template.create", "variable.create", "deployment_template.update", "deployment_template.update", "deployment_template.update", "variable.update",
		"deployment_template.delete", "variable.delete",
	}, actions)
	require.Zero(t, api.Count(t, "deployment_templates_environments"))
}
