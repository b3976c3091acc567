package doctest_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testapi"
)

func bitbucketPipelines() system {
	return system{
		name: "bitbucket",
		env: map[string]string{
			"BITBUCKET_COMMIT": commit, "BITBUCKET_BRANCH": branch, "BITBUCKET_REPO_FULL_NAME": "acme/checkout", "BITBUCKET_BUILD_NUMBER": "312",
			"BITBUCKET_PIPELINE_UUID": "{0f3a7c8e-9d21-4a7e-8a0c-0a4d4f0d9f11}", "BITBUCKET_STEP_TRIGGERER_UUID": "{deadbeef-cafe-1234-5678-abcdef012345}",
		},
		run: runBitbucket,
		want: map[string]any{
			"version": commit, "scm_sha": commit, "scm_branch": branch, "scm_repository": "acme/checkout", "build_number": "312",
			"invoke_id": "{0f3a7c8e-9d21-4a7e-8a0c-0a4d4f0d9f11}", "deployed_by": "{deadbeef-cafe-1234-5678-abcdef012345}",
			"deploy_url": "https://bitbucket.org/acme/checkout/pipelines/results/312",
		},
		client: map[string]any{"scm_branch": nil, "deployed_by": nil},
	}
}

func runBitbucket(j *job, b block) {
	var file struct {
		Pipelines struct {
			Branches map[string][]struct {
				Step struct {
					Name, Deployment string
					Script           []string
					AfterScript      []string `yaml:"after-script"`
				}
			}
		}
	}
	j.decode(b, &file)
	step := file.Pipelines.Branches["main"][0].Step
	code := "0"
	if _, succeeded := j.sh(strings.Join(step.Script, "\n"), nil); !succeeded {
		code, j.result = "1", "failure"
	}
	j.sh(strings.Join(step.AfterScript, "\n"), map[string]string{"BITBUCKET_EXIT_CODE": code})
}

func azureDevOps() system {
	return system{
		name: "azure-devops",
		env: map[string]string{
			"TF_BUILD": "True", "BUILD_SOURCEVERSION": commit, "BUILD_SOURCEBRANCH": "refs/heads/" + branch, "BUILD_REPOSITORY_NAME": "acme/checkout",
			"BUILD_BUILDNUMBER": "20261120.3", "BUILD_BUILDID": "4711", "BUILD_BUILDURI": "vstfs:///Build/Build/4711", "BUILD_REQUESTEDFOR": "Ada Lovelace",
			"SYSTEM_COLLECTIONURI": "https://dev.azure.com/acme/", "SYSTEM_TEAMPROJECT": "The shop",
		},
		run: runAzure,
		want: map[string]any{
			"version": commit, "scm_sha": commit, "scm_branch": "refs/heads/" + branch, "scm_repository": "acme/checkout", "build_number": "20261120.3",
			"invoke_id": "4711", "deployed_by": "Ada Lovelace", "deploy_url": "https://dev.azure.com/acme/The shop/_build/results?buildId=4711",
		},
		client: map[string]any{"scm_branch": nil, "deploy_url": "vstfs:///Build/Build/4711"},
	}
}

var (
	azureMacro   = regexp.MustCompile(`\$\(([A-Za-z_.]+)\)`)
	azureCommand = regexp.MustCompile(`(?m)^##vso\[task\.setvariable variable=(\w+)\](.*)$`)
)

func runAzure(j *job, b block) {
	var pipeline struct {
		Trigger   []string
		Pool      map[string]string
		Variables map[string]string
		Steps     []struct {
			Bash, DisplayName, Condition string `yaml:",omitempty"`
			Env                          map[string]string
		}
	}
	text := strings.ReplaceAll(b.text, "displayName:", "displayname:")
	j.decode(block{text: text, line: b.line}, &pipeline)
	secret := j.env["VERSIONER_API_KEY"]
	delete(j.env, "VERSIONER_API_KEY") // a secret reaches those steps only that name it
	known := map[string]string{"VERSIONER_API_KEY": secret}
	for _, name := range []string{
		"Build.SourceVersion", "Build.SourceBranch", "Build.Repository.Name", "Build.BuildNumber", "Build.BuildId", "Build.RequestedFor",
		"System.CollectionUri", "System.TeamProject",
	} {
		known[name] = j.env[strings.ToUpper(strings.ReplaceAll(name, ".", "_"))]
	}
	for name, value := range pipeline.Variables {
		j.env[name] = j.expand(value, azureMacro, known)
	}
	began := false
	for _, step := range pipeline.Steps {
		require.NotRegexp(j, azureMacro, step.Bash, "a value must not become a command")
		switch step.Condition {
		case "":
			if j.result == "failure" {
				continue
			}
		case "and(failed(), eq(variables['deploymentBegan'], 'yes'))":
			if j.result != "failure" || !began {
				continue
			}
		case "and(canceled(), eq(variables['deploymentBegan'], 'yes'))":
			continue
		default:
			require.Fail(j, "a condition that the test does not know", step.Condition)
		}
		env := make(map[string]string)
		for name, value := range step.Env {
			env[name] = j.expand(value, azureMacro, known)
		}
		said, succeeded := j.shell(step.Bash, env, "bash", "--noprofile", "--norc", "-c") // without -e
		for _, command := range azureCommand.FindAllStringSubmatch(said, -1) {
			began = began || command[1] == "deploymentBegan" && command[2] == "yes"
		}
		if !succeeded {
			j.result = "failure"
		}
	}
}

func travisCI() system {
	return system{
		name: "travis",
		env: map[string]string{
			"TRAVIS": "true", "TRAVIS_COMMIT": commit, "TRAVIS_BRANCH": branch, "TRAVIS_REPO_SLUG": "acme/checkout", "TRAVIS_BUILD_NUMBER": "312",
			"TRAVIS_BUILD_ID": "268914732", "TRAVIS_BUILD_WEB_URL": "https://app.travis-ci.com/acme/checkout/builds/268914732",
		},
		run: runTravis,
		want: map[string]any{
			"version": commit, "scm_sha": commit, "scm_branch": branch, "scm_repository": "acme/checkout", "build_number": "312", "invoke_id": "268914732",
			"deployed_by": "Ada Lovelace", "deploy_url": "https://app.travis-ci.com/acme/checkout/builds/268914732",
		},
		client: map[string]any{"scm_branch": nil, "deployed_by": nil},
	}
}

// runTravis makes one script of all phases, as Travis CI does: the first command of before_script that fails ends it, those
// of script are all run.
func runTravis(j *job, b block) {
	var file struct {
		Language     string
		Branches     map[string][]string
		BeforeScript []string `yaml:"before_script"`
		Script       []string
		AfterSuccess []string `yaml:"after_success"`
		AfterFailure []string `yaml:"after_failure"`
	}
	j.decode(b, &file)
	var script strings.Builder
	for _, command := range file.BeforeScript {
		_, _ = fmt.Fprintf(&script, "%s\n[ $? -eq 0 ] || exit 1\n", strings.TrimRight(command, "\n"))
	}
	script.WriteString("result=0\n")
	for _, command := range file.Script {
		_, _ = fmt.Fprintf(&script, "%s || result=1\n", command)
	}
	_, _ = fmt.Fprintf(&script, "if [ $result -eq 0 ]; then\n%s\nelse\n%s\nfi\nexit $result\n", strings.Join(file.AfterSuccess, "\n"), strings.Join(file.AfterFailure, "\n"))
	if _, succeeded := j.shell(script.String(), nil, "bash", "-c"); !succeeded {
		j.result = "failure"
	}
}

func rundeck() system {
	return system{
		name: "rundeck",
		env: map[string]string{
			"RD_JOB_ID": "89462c62-b536-414a-b700-497ae45000da", "RD_JOB_EXECID": "812", "RD_JOB_NAME": "deploy-checkout", "RD_JOB_PROJECT": "shop",
			"RD_JOB_SERVERURL": "https://rundeck.example.com", "RD_JOB_URL": "https://rundeck.example.com/project/shop/execution/show/812", "RD_JOB_USERNAME": "ada",
			"RD_OPTION_VERSION": "1.4.2", "RD_OPTION_GIT_SHA": commit, "RD_OPTION_GIT_BRANCH": branch, "RD_OPTION_GIT_REPOSITORY": "acme/checkout",
		},
		run: runRundeck,
		want: map[string]any{
			"version": "1.4.2", "scm_sha": commit, "scm_branch": branch, "scm_repository": "acme/checkout", "build_number": "812", "invoke_id": "812",
			"deployed_by": "ada", "deploy_url": "https://rundeck.example.com/project/shop/execution/show/812",
		},
		client: map[string]any{"scm_branch": nil, "scm_repository": nil},
	}
}

type rundeckCommand struct {
	Description, Exec, Script string
	KeepGoing                 bool            `yaml:"keepgoingOnSuccess"`
	ErrorHandler              *rundeckCommand `yaml:"errorhandler"`
}

// testRundeck runs the page's job with each of its two scripts for the node.
func testRundeck(t *testing.T, g *guide) {
	t.Helper()
	api := testapi.New(t)
	pipelines := g.take(t, "yaml")
	for i, script := range g.take(t, "sh") {
		pipeline := pipelines[0]
		pipeline.line = script.line
		ci := rundeck()
		ci.node, pipeline.heading = script.text, script.heading
		if i == 0 {
			pipeline.heading = "With curl"
		}
		t.Run(pipeline.heading, func(t *testing.T) {
			t.Parallel()
			tryPipeline(t, api, ci, pipeline)
		})
	}
}

// installOnNode puts the scripts where the page says, below the directory of the job.
func (j *job) installOnNode(event string) {
	j.write("bin/versioner-event.sh", event)
	j.write("bin/versioner-rundeck.sh", j.onNode(j.system.node))
	client, err := os.ReadFile(filepath.Join(strings.SplitN(j.env["PATH"], ":", 2)[0], "client"))
	require.NoError(j, err)
	j.write("bin/versioner", string(client))
	j.env["RD_OPTION_VERSIONER_API_KEY"] = j.env["VERSIONER_API_KEY"]
	delete(j.env, "VERSIONER_API_KEY")
}

func (j *job) onNode(text string) string {
	return strings.NewReplacer("/usr/local/bin/", filepath.Join(j.dir, "bin")+"/", "https://versioner.example.com", j.env["VERSIONER_API_URL"]).Replace(text)
}

func runRundeck(j *job, b block) {
	var jobs []struct {
		Name, Description, LogLevel string
		ExecutionEnabled            bool `yaml:"executionEnabled"`
		Options                     []struct {
			Name, StoragePath string `yaml:",omitempty"`
			Required, Secure  bool
			ValueExposed      bool `yaml:"valueExposed"`
		}
		Sequence struct {
			KeepGoing bool
			Strategy  string
			Commands  []rundeckCommand
		}
	}
	text := strings.NewReplacer("storagePath:", "storagepath:").Replace(b.text)
	j.decode(block{text: text, line: b.line}, &jobs)
	for _, option := range jobs[0].Options {
		require.Contains(j, append(slices.Collect(maps.Keys(j.env)), ""), "RD_OPTION_"+strings.ToUpper(option.Name))
		require.Equal(j, option.Secure, option.ValueExposed, "a secure option reaches scripts only when it is exposed")
	}
	sequence := jobs[0].Sequence
	require.False(j, sequence.KeepGoing)
	execute := func(command rundeckCommand) bool {
		_, succeeded := j.shell(j.onNode(command.Exec+command.Script), nil, "sh", "-c")
		return succeeded
	}
	for _, command := range sequence.Commands {
		if !execute(command) {
			j.result = "failure"
			if command.ErrorHandler != nil {
				require.False(j, command.ErrorHandler.KeepGoing)
				execute(*command.ErrorHandler)
			}
			return
		}
	}
}
