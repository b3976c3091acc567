// Package doctest_test runs the code blocks of README.md and docs/.
//
// The test of a page takes each of its code blocks, or the block follows a comment with the reason why it is not run:
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
	minReason = 10 // characters
)

func TestMain(m *testing.M) {
	if os.Getenv(beClient) != "" {
		os.Exit(runClient(os.Args[1:], os.Stdout, os.Stderr))
	}
	testdb.Main(m)
}

// block is a fenced block of code.
type block struct {
	language string
	text     string
	line     int    // of the fence
	heading  string // above it
	reason   string // why it is not run; empty if it is
}

// guide is a page.
type guide struct {
	path   string // from the root
	text   string
	blocks []block
	taken  map[int]bool // by line
}

// tests returns the test of each page with code.
func tests() map[string]func(*testing.T, *guide) {
	return map[string]func(*testing.T, *guide){
		"README.md":                      testReadme,
		"docs/first-event.md":            testFirstEvent,
		"docs/keys.md":                   testKeys,
		"docs/rules.md":                  testRules,
		"docs/approvals.md":              testApprovals,
		"docs/buttons.md":                testButtons,
		"docs/identity-providers.md":     testIdentityProviders,
		"docs/notifications.md":          testNotifications,
		"docs/operations.md":             testOperations,
		"docs/production.md":             testProduction,
		"docs/scaling.md":                testScaling,
		"docs/errors.md":                 testErrors,
		"docs/ci/README.md":              testAnyCI,
		"docs/ci/github-actions.md":      testGitHubActions,
		"docs/ci/gitlab-ci.md":           testPipelines("yaml"),
		"docs/ci/jenkins.md":             testPipelines("groovy"),
		"docs/ci/circleci.md":            testPipelines("yaml"),
		"docs/ci/bitbucket-pipelines.md": testPipelines("yaml"),
		"docs/ci/azure-devops.md":        testPipelines("yaml"),
		"docs/ci/buildkite.md":           testPipelines("yaml"),
		"docs/ci/travis-ci.md":           testPipelines("yaml"),
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
					require.GreaterOrEqual(t, len(b.reason), minReason, "%s:%d: the reason is missing", path, b.line)
					continue
				}
				run++
				require.True(t, g.taken[b.line], "%s:%d: no test runs this %s; run it in internal/doctest, or write `%sthe reason -->` above it", path, b.line, b.language, notRun)
			}
			t.Logf("%s: %d blocks run, %d marked", path, run, marked)
		})
	}
	require.Empty(t, known, "pages that do not exist")
}

// pages returns README.md and the Markdown files below docs.
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

// read parses a page. Blocks with the language text or http have nothing to run.
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
			require.True(t, strings.HasSuffix(line, " -->") && strings.HasPrefix(lines[i+1]+lines[i+2], fence), "%s:%d: no block follows", path, i+1)
		case strings.HasPrefix(line, "#"):
			heading = strings.TrimSpace(strings.TrimLeft(line, "#"))
		case strings.HasPrefix(line, fence):
			end := i + 1 + slices.Index(lines[i+1:], fence)
			require.Greater(t, end, i, "%s:%d: unterminated block", path, i+1)
			b := block{language: strings.TrimPrefix(line, fence), text: strings.Join(lines[i+1:end], "\n") + "\n", line: i + 1, heading: heading, reason: reason}
			require.NotEmpty(t, b.language, "%s:%d: the language is missing", path, i+1)
			if b.language != "text" && b.language != "http" {
				g.blocks = append(g.blocks, b)
			}
			i, reason = end, ""
		default:
			require.NotContains(t, line, fence, "%s:%d: indented blocks are not supported", path, i+1)
		}
	}
	return g
}

// take returns the blocks of the languages, which the caller runs.
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

// script returns the shell of a page, as for one terminal.
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

// anchors returns the anchors that the usual sites derive from the headings of a page.
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

// TestLinks resolves every link to a file of the repository and to a heading in it.
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

// TestIndex requires docs/README.md to link to every page.
func TestIndex(t *testing.T) {
	t.Parallel()
	index, err := os.ReadFile(filepath.Join(root, "docs", "README.md"))
	require.NoError(t, err)
	for _, path := range pages(t) {
		if name, ok := strings.CutPrefix(path, "docs/"); ok && name != "README.md" {
			require.Contains(t, string(index), "]("+name, "docs/README.md does not link to %s", name)
		}
	}
}
