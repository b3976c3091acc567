package doctest_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
)

// githubActions knows the contexts, conditions and the published Action that the page uses.
func githubActions() system {
	return system{
		name: "github",
		env: map[string]string{
			"GITHUB_ACTIONS": "true", "GITHUB_SHA": commit, "GITHUB_REF_NAME": branch, "GITHUB_REPOSITORY": "acme/checkout", "GITHUB_RUN_ID": "16421337842",
			"GITHUB_RUN_NUMBER": "312", "GITHUB_ACTOR": "ada", "GITHUB_SERVER_URL": "https://github.com",
		},
		run: runGitHub,
		want: map[string]any{
			"version": commit, "scm_sha": commit, "scm_branch": branch, "scm_repository": "acme/checkout", "build_number": "312", "invoke_id": "16421337842",
			"deployed_by": "ada", "deploy_url": "https://github.com/acme/checkout/actions/runs/16421337842",
		},
		client: map[string]any{"scm_branch": nil},
	}
}

type githubStep struct {
	Name, ID, If, Uses, Run string
	Env, With               map[string]string
}

var githubExpression = regexp.MustCompile(`\$\{\{ ([a-zA-Z_.]+) \}\}`)

func runGitHub(j *job, b block) {
	var workflow struct {
		Name string
		On   struct{ Push struct{ Branches []string } }
		Jobs map[string]struct {
			RunsOn string `yaml:"runs-on"`
			Env    map[string]string
			Steps  []githubStep
		}
	}
	j.decode(b, &workflow)
	require.Equal(j, []string{"main"}, workflow.On.Push.Branches)
	known := map[string]string{"vars.VERSIONER_API_URL": j.env["VERSIONER_API_URL"], "secrets.VERSIONER_API_KEY": j.env["VERSIONER_API_KEY"]}
	delete(j.env, "VERSIONER_API_URL")
	delete(j.env, "VERSIONER_API_KEY")
	for name, value := range j.env {
		known["github."+strings.ToLower(strings.TrimPrefix(name, "GITHUB_"))] = value
	}
	values := func(from map[string]string) map[string]string {
		into := make(map[string]string)
		for name, value := range from {
			into[name] = j.expand(value, githubExpression, known)
		}
		return into
	}
	for _, one := range workflow.Jobs {
		require.Equal(j, "ubuntu-latest", one.RunsOn)
		maps.Copy(j.env, values(one.Env))
		for _, step := range one.Steps {
			require.NotContains(j, step.Run, "${{", "a value must not become a command")
			outcome := "skipped"
			if j.githubRuns(step.If, known) {
				outcome = "success"
				if !j.githubStep(step, values) {
					outcome, j.result = "failure", "failure"
				}
			}
			if step.ID != "" {
				known["steps."+step.ID+".outcome"] = outcome
			}
		}
	}
}

func (j *job) githubRuns(condition string, known map[string]string) bool {
	switch condition {
	case "", "success()":
		return j.result == "success"
	case "always() && steps.deploy.outcome != 'skipped'":
		return known["steps.deploy.outcome"] != "skipped"
	case "failure() && steps.deploy.outcome == 'failure'":
		return j.result == "failure" && known["steps.deploy.outcome"] == "failure"
	}
	require.Fail(j, "a condition that the test does not know", condition)
	return false
}

func (j *job) githubStep(step githubStep, values func(map[string]string) map[string]string) bool {
	switch {
	case step.Run != "":
		_, succeeded := j.sh(step.Run, values(step.Env))
		return succeeded
	case step.Uses == "actions/checkout@v4":
		return true
	}
	require.Equal(j, "versioner-io/versioner-github-action@v1", step.Uses)
	return j.publishedAction(values(step.With))
}

// publishedAction sends what the published GitHub Action sends, and is as particular about its inputs as its strictest
// release.
func (j *job) publishedAction(with map[string]string) bool {
	for name := range with {
		require.Contains(j, []string{"api_url", "api_key", "product_name", "version", "environment", "event_type", "status", "metadata"}, name, "every release has these inputs")
	}
	require.Contains(j, []string{"success", "failure", "in_progress"}, with["status"])
	body, err := json.Marshal(map[string]any{
		"product_name": with["product_name"], "version": with["version"], "environment_name": with["environment"], "status": with["status"],
		"scm_repository": j.env["GITHUB_REPOSITORY"], "scm_sha": j.env["GITHUB_SHA"], "source_system": "github", "build_number": j.env["GITHUB_RUN_NUMBER"],
		"invoke_id": j.env["GITHUB_RUN_ID"], "deployed_by": j.env["GITHUB_ACTOR"], "extra_metadata": map[string]string{"vi_gh_job": "deploy"},
		"build_url":    "https://github.com/" + j.env["GITHUB_REPOSITORY"] + "/actions/runs/" + j.env["GITHUB_RUN_ID"],
		"completed_at": "2026-11-20T10:00:00.000Z",
	})
	require.NoError(j, err)
	status, _ := send(j.T, http.MethodPost, strings.TrimSuffix(with["api_url"], "/")+deploy, with["api_key"], string(body))
	return status == http.StatusOK
}

func gitlabCI() system {
	return system{
		name: "gitlab",
		env: map[string]string{
			"GITLAB_CI": "true", "CI_COMMIT_SHA": commit, "CI_COMMIT_REF_NAME": branch, "CI_PROJECT_PATH": "acme/shop/checkout", "CI_PIPELINE_ID": "1234567",
			"CI_PIPELINE_IID": "312", "CI_PIPELINE_URL": "https://gitlab.com/acme/shop/checkout/-/pipelines/1234567", "GITLAB_USER_LOGIN": "ada",
			"GITLAB_USER_NAME": "Ada Lovelace", "GITLAB_USER_EMAIL": "ada@example.com",
		},
		run: runGitLab,
		want: map[string]any{
			"version": commit, "scm_sha": commit, "scm_branch": branch, "scm_repository": "acme/shop/checkout", "build_number": "312", "invoke_id": "1234567",
			"deployed_by": "ada", "deploy_url": "https://gitlab.com/acme/shop/checkout/-/pipelines/1234567",
		},
		client: map[string]any{"scm_branch": nil, "deployed_by_name": "Ada Lovelace"},
	}
}

var shellVariable = regexp.MustCompile(`\$([A-Z_]+)`)

func runGitLab(j *job, b block) {
	var pipeline struct {
		Stages []string
		Deploy struct {
			Stage, Environment string
			Rules              []map[string]string
			Variables          map[string]string
			Script             []string
			AfterScript        []string `yaml:"after_script"`
		}
	}
	j.decode(b, &pipeline)
	require.Contains(j, pipeline.Stages, pipeline.Deploy.Stage)
	require.Equal(j, "production", pipeline.Deploy.Environment)
	predefined := maps.Clone(j.env)
	for name, value := range pipeline.Deploy.Variables {
		j.env[name] = j.expand(value, shellVariable, predefined)
	}
	status := "success"
	if _, succeeded := j.sh(strings.Join(pipeline.Deploy.Script, "\n"), nil); !succeeded {
		status, j.result = "failed", "failure"
	}
	j.sh(strings.Join(pipeline.Deploy.AfterScript, "\n"), map[string]string{"CI_JOB_STATUS": status})
}

func jenkins() system {
	return system{
		name: "jenkins",
		env: map[string]string{
			"JENKINS_URL": "https://jenkins.example.com/", "GIT_COMMIT": commit, "GIT_BRANCH": "origin/" + branch, "GIT_URL": "https://github.com/acme/checkout.git",
			"BUILD_NUMBER": "312", "BUILD_ID": "312", "BUILD_URL": "https://jenkins.example.com/job/checkout/312/", "BUILD_USER": "Ada Lovelace",
		},
		run: runJenkins,
		want: map[string]any{
			"version": commit, "scm_sha": commit, "scm_branch": "origin/" + branch, "scm_repository": "https://github.com/acme/checkout.git", "build_number": "312",
			"invoke_id": "312", "deployed_by": "Ada Lovelace", "deploy_url": "https://jenkins.example.com/job/checkout/312/",
		},
		client: map[string]any{"scm_branch": nil},
	}
}

var (
	jenkinsFunction = regexp.MustCompile(`(?s)^void tellVersioner\(String status\) \{\s*withCredentials\(\[string\(credentialsId: 'versioner-api-key', variable: 'VERSIONER_API_KEY'\)\]\) \{\s*withEnv\(\["STATUS=\$\{status\}"\]\) \{\s*sh '''(.*?)'''\s*\}\s*\}\s*\}\n`)
	jenkinsStages   = regexp.MustCompile(`(?s)\npipeline \{\n  agent any\n  stages \{\n    stage\('[^']*'\) \{\n      steps \{\n        tellVersioner\('started'\)\n      \}\n    \}\n    stage\('Deploy'\) \{\n      steps \{\n        sh '([^']*)'\n      \}\n      post \{\n(.*?)      \}\n    \}\n  \}\n\}\n$`)
	jenkinsPost     = regexp.MustCompile(`(success|failure|aborted) \{ tellVersioner\('(\w+)'\) \}`)
)

// runJenkins knows the one form of a Jenkinsfile that the page has; a comparison of Groovy as a whole, so that a change of it
// is seen.
func runJenkins(j *job, b block) {
	function, stages := jenkinsFunction.FindStringSubmatch(b.text), jenkinsStages.FindStringSubmatch(b.text)
	require.NotNil(j, function, "tellVersioner has changed")
	require.NotNil(j, stages, "the pipeline has changed")
	tell := func(status string) bool {
		_, succeeded := j.shell(function[1], map[string]string{"STATUS": status}, "sh", "-xe", "-c")
		return succeeded
	}
	post := make(map[string]string)
	for _, one := range jenkinsPost.FindAllStringSubmatch(stages[2], -1) {
		post[one[1]] = one[2]
	}
	require.Equal(j, map[string]string{"success": "completed", "failure": "failed", "aborted": "aborted"}, post)
	if !tell("started") { // the stage Deploy is skipped, and its post with it
		j.result = "failure"
		return
	}
	if _, succeeded := j.shell(stages[1], nil, "sh", "-xe", "-c"); !succeeded {
		j.result = "failure"
	}
	tell(post[j.result])
}

func circleCI() system {
	return system{
		name: "circleci",
		env: map[string]string{
			"CIRCLECI": "true", "CIRCLE_SHA1": commit, "CIRCLE_BRANCH": branch, "CIRCLE_PROJECT_USERNAME": "acme", "CIRCLE_PROJECT_REPONAME": "checkout",
			"CIRCLE_BUILD_NUM": "312", "CIRCLE_BUILD_URL": "https://circleci.com/gh/acme/checkout/312", "CIRCLE_WORKFLOW_ID": "5f1c9a4e-2a0b-4b53-8f0e-1f6a2f1b7c11",
			"CIRCLE_USERNAME": "ada",
		},
		run: runCircleCI,
		want: map[string]any{
			"version": commit, "scm_sha": commit, "scm_branch": branch, "scm_repository": "acme/checkout", "build_number": "312",
			"invoke_id": "5f1c9a4e-2a0b-4b53-8f0e-1f6a2f1b7c11", "deployed_by": "ada", "deploy_url": "https://circleci.com/gh/acme/checkout/312",
		},
		client: map[string]any{"scm_branch": nil},
	}
}

func runCircleCI(j *job, b block) {
	var config struct {
		Version float64
		Jobs    struct {
			Deploy struct {
				Docker []map[string]string
				Steps  []any
			}
		}
		Workflows map[string]any
	}
	j.decode(b, &config)
	j.env["BASH_ENV"] = filepath.Join(j.dir, "bash.env")
	j.write("bash.env", "")
	for _, step := range config.Jobs.Deploy.Steps {
		if step == "checkout" {
			continue
		}
		run := step.(map[string]any)["run"].(map[string]any)
		require.Subset(j, []string{"name", "when", "command"}, slices.Collect(maps.Keys(run)))
		when, _ := run["when"].(string)
		if (when == "on_fail") != (j.result == "failure") {
			continue
		}
		if _, succeeded := j.sh(run["command"].(string), nil); !succeeded {
			j.result = "failure"
		}
	}
}
