package ingest

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// TestStateMachineDocument compares the diagram and the table of docs/state-machine.md with transition.
func TestStateMachineDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/state-machine.md")
	require.NoError(t, err)
	require.Contains(t, string(text), "```mermaid\n"+diagram()+"```\n", "the diagram")
	require.Contains(t, string(text), finishedTable(), "the table of finished subjects")
}

// diagram returns what events do to subjects that are unfinished or do not exist yet, in mermaid's language.
func diagram() string {
	lines := []string{"stateDiagram-v2"}
	add := func(from string, matched *Subject, event Status) {
		effect := transition(State{}, Event{Status: event}, matched)
		to := from
		if effect == Created || effect == Progressed || effect == Terminated {
			to = string(event)
		}
		line := fmt.Sprintf("    %s --> %s: %s", from, to, effect)
		if to == from && from != "[*]" {
			line = fmt.Sprintf("    %s --> %s: %s, by %s", from, to, effect, event)
		}
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	for _, event := range setOrder {
		add("[*]", nil, event)
	}
	for _, status := range []Status{Pending, Started} {
		for _, event := range setOrder {
			add(string(status), &Subject{Status: status, Seen: StatusSet(0).With(status)}, event)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// finishedTable returns what events do to finished subjects of the same run.
func finishedTable() string {
	id := newID()
	rows := []string{"| event | of a finished deployment or build | effect |", "|---|---|---|"}
	add := func(event, condition string, state State, matched Subject, status Status) {
		rows = append(rows, fmt.Sprintf("| %s | %s | `%s` |", event, condition, transition(state, Event{Status: status, Attempt: 1}, &matched)))
	}
	finished := Subject{ID: id, Status: Completed, Attempt: 1, Seen: StatusSet(0).With(Started).With(Completed)}
	latest := State{Pair: Pair{LatestID: id}}
	former := State{Pair: Pair{LatestID: uuid.New()}}
	retried := State{Run: []Subject{{Attempt: 2}, finished}}
	add("pending or started", "that has had this status", latest, finished, Started)
	add("pending or started", "that has not had this status", latest, finished, Pending)
	add("pending or started", "of an attempt before the run's last one", retried, finished, Started)
	add("the same final status", "that is the latest of the pair", latest, finished, Completed)
	add("the same final status", "that is no longer the latest of the pair", former, finished, Completed)
	add("the same final status", "of an attempt before the run's last one", retried, finished, Completed)
	add("another final status", "of the run's last attempt", latest, finished, Failed)
	add("another final status", "of an attempt before the run's last one", retried, finished, Failed)
	return strings.Join(rows, "\n") + "\n"
}
