// Package guides_test does what the guides in docs/ tell: it takes their code out of the Markdown and runs it.
//
// Every block of code is either taken by the page's own test, or stands below a comment that says why it is not:
//
//	<!-- not run: the reason -->
package doctest_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/testdb"
)

const (
	root      = "../.." // of the repository, from here
	fence     = "```"
	notRun    = "<!-- not run: "
	beCLI     = "VERSIONER_TEST_BE_CLI"
	minReason = 10 // characters
)

// TestMain also is the stand-in for the published command line client: see cli_test.go.
func TestMain(m *testing.M) {
	if os.Getenv(beCLI) != "" {
		beTheClient()
		return
	}
	testdb.Main(m)
}

// block is a fenced block of code.
type block struct {
	language string
	text     string
	line     int    // of the fence
	heading  string // the last one above it
	reason   string // why it is not run; empty: it is
}

// guide is a page. Its test takes every block that is to be run.
type guide struct {
	path   string // from the root
	text   string
	blocks []block
	taken  map[int]bool // by line
}

// tests are the pages that have code to run, and how that is done.
func tests() map[string]func(*testing.T, *guide) {
	return map[string]func(*testing.T, *guide){
		"README.md":                      testReadme,
		"docs/first-event.md":            testFirstEvent,
		"docs/keys.md":                   testKeys,
		"docs/identity-providers.md":     testIdentityProviders,
		"docs/notifications.md":          testNotifications,
		"docs/operations.md":             testOperations,
		"docs/production.md":             testProduction,
		"docs/errors.md":                 testErrors,
		"docs/ci/README.md":              testAnyCI,
		"docs/ci/github-actions.md":      testCI(githubActions),
		"docs/ci/gitlab-ci.md":           testCI(gitlabCI),
		"docs/ci/jenkins.md":             testCI(jenkins),
		"docs/ci/circleci.md":            testCI(circleCI),
		"docs/ci/bitbucket-pipelines.md": testCI(bitbucketPipelines),
		"docs/ci/azure-devops.md":        testCI(azureDevOps),
		"docs/ci/travis-ci.md":           testCI(travisCI),
		"docs/ci/rundeck.md":             testRundeck,
	}
}

func TestGuides(t *testing.T) {
	t.Parallel()
	known := tests()
	built = buildInto(newDir(t))
	for _, path := range pages(t) {
		test := known[path]
		delete(known, path)
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			g := read(t, path)
			if test != nil {
				test(t, g)
			}
			run, marked := 0, 0
			for _, b := range g.blocks {
				if b.reason != "" {
					marked++
					t.Logf("%s:%d: %s is not run: %s", path, b.line, b.language, b.reason)
					require.GreaterOrEqual(t, len(b.reason), minReason, "%s:%d: say why it is not run", path, b.line)
					continue
				}
				run++
				require.True(t, g.taken[b.line], "%s:%d: nothing tries this %s; run it in internal/doctest, or write `%sthe reason -->` above it", path, b.line, b.language, notRun)
			}
			t.Logf("%s: %d blocks tried, %d marked", path, run, marked)
		})
	}
	require.Empty(t, known, "pages that there are no more")
}

// pages are README.md and all Markdown below docs.
func pages(t *testing.T) []string {
	t.Helper()
	found := []string{"README.md"}
	require.NoError(t, filepath.WalkDir(filepath.Join(root, "docs"), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.HasSuffix(path, ".md") {
			relative, _ := filepath.Rel(root, path)
			found = append(found, filepath.ToSlash(relative))
		}
		return err
	}))
	require.Greater(t, len(found), 10)
	return found
}

// read parses a page. A block that tells of nothing to try has the language text or http.
func read(t *testing.T, path string) *guide {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	g := &guide{path: path, text: string(data), taken: make(map[int]bool)}
	lines := strings.Split(g.text, "\n")
	heading, reason := "", ""
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		switch {
		case strings.HasPrefix(line, notRun):
			reason = strings.TrimSuffix(strings.TrimPrefix(line, notRun), " -->")
			require.True(t, strings.HasSuffix(line, " -->") && strings.HasPrefix(lines[i+1]+lines[i+2], fence), "%s:%d: the mark belongs to no block", path, i+1)
		case strings.HasPrefix(line, "#"):
			heading = strings.TrimSpace(strings.TrimLeft(line, "#"))
		case strings.HasPrefix(line, fence):
			end := i + 1 + slices.Index(lines[i+1:], fence)
			require.Greater(t, end, i, "%s:%d: the block does not end", path, i+1)
			b := block{language: strings.TrimPrefix(line, fence), text: strings.Join(lines[i+1:end], "\n") + "\n", line: i + 1, heading: heading, reason: reason}
			require.NotEmpty(t, b.language, "%s:%d: say what language it is", path, i+1)
			if b.language != "text" && b.language != "http" {
				g.blocks = append(g.blocks, b)
			}
			i, reason = end, ""
		default:
			require.NotContains(t, line, fence, "%s:%d: an indented block is not seen", path, i+1)
		}
	}
	return g
}

// take returns the blocks of the languages that are to be run; the test that takes them runs them.
func (g *guide) take(t *testing.T, languages ...string) []block {
	t.Helper()
	var all []block
	for _, b := range g.blocks {
		if b.reason == "" && slices.Contains(languages, b.language) {
			g.taken[b.line] = true
			all = append(all, b)
		}
	}
	require.NotEmpty(t, all, "%s has no %v to run", g.path, languages)
	return all
}

// script is all shell of a page, as a reader would type it into one terminal.
func (g *guide) script(t *testing.T) string {
	t.Helper()
	return join(g.take(t, "sh"))
}

func join(blocks []block) string {
	var all strings.Builder
	for _, b := range blocks {
		all.WriteString(b.text)
	}
	return all.String()
}

var (
	link      = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	code      = regexp.MustCompile("`[^`\n]*`")
	notAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are those that the headings of a page have, as they are made on the usual sites.
func anchors(text string) map[string]bool {
	found := make(map[string]bool)
	inside := false
	for line := range strings.SplitSeq(text, "\n") {
		inside = inside != strings.HasPrefix(line, fence)
		if heading := strings.TrimLeft(line, "#"); !inside && heading != line {
			anchor := notAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
			found[strings.ReplaceAll(anchor, " ", "-")] = true
		}
	}
	return found
}

// TestLinks follows every link to a file of the repository, and to a heading in it.
func TestLinks(t *testing.T) {
	t.Parallel()
	followed := 0
	for _, path := range append(pages(t), "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md") {
		data, err := os.ReadFile(filepath.Join(root, path))
		require.NoError(t, err)
		for _, found := range link.FindAllStringSubmatch(code.ReplaceAllString(string(data), ""), -1) {
			target, anchor, _ := strings.Cut(found[1], "#")
			if strings.Contains(target, ":") {
				require.Regexp(t, `^https?://[a-z0-9.-]+`, target, path)
				continue
			}
			followed++
			file := filepath.Join(root, filepath.Dir(path), filepath.FromSlash(target))
			if target == "" {
				file = filepath.Join(root, path)
			}
			linked, err := os.ReadFile(file)
			if err != nil {
				info, statErr := os.Stat(file)
				require.NoError(t, statErr, "%s links to %s", path, found[1])
				require.True(t, info.IsDir(), "%s links to %s", path, found[1])
			}
			if anchor != "" {
				require.Contains(t, anchors(string(linked)), anchor, "%s links to %s", path, found[1])
			}
		}
	}
	require.Greater(t, followed, 20)
}

// TestEveryGuideIsInTheIndex follows the index from the README.
func TestEveryGuideIsInTheIndex(t *testing.T) {
	t.Parallel()
	index, err := os.ReadFile(filepath.Join(root, "docs", "README.md"))
	require.NoError(t, err)
	for _, path := range pages(t) {
		if name, ok := strings.CutPrefix(path, "docs/"); ok && name != "README.md" {
			require.Contains(t, string(index), "]("+name, "docs/README.md does not lead to %s", name)
		}
	}
}
