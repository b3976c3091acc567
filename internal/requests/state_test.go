package requests_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/requests"
)

const (
	draft      = policy.RequestDraft
	inProgress = policy.RequestInProgress
	approved   = policy.RequestApproved
	rejected   = policy.RequestRejected
	completed  = policy.RequestCompleted
	cancelled  = policy.RequestCancelled
	refused    = policy.RequestStatus("")
)

// stateOf returns a request with a required slot, which has been decided as the status says, and an optional one.
func stateOf(status policy.RequestStatus) requests.State {
	state := requests.State{Status: status, Activation: 1, Versions: 1, Environments: 1, Slots: []requests.SlotState{{Required: true}, {}}}
	switch status {
	case approved, completed:
		state.Slots[0].Decision = policy.Approved
	case rejected:
		state.Slots[0].Decision = policy.Rejected
	case draft, inProgress, cancelled:
	}
	return state
}

func TestApply(t *testing.T) {
	t.Parallel()

	statuses := []policy.RequestStatus{draft, inProgress, approved, rejected, completed, cancelled}
	tests := map[string]struct {
		action requests.Action
		want   []policy.RequestStatus // from each status
	}{
		"activate":                  {requests.Action{Verb: requests.Activate}, []policy.RequestStatus{inProgress, refused, refused, refused, refused, refused}},
		"deactivate":                {requests.Action{Verb: requests.Deactivate}, []policy.RequestStatus{refused, draft, draft, draft, refused, refused}},
		"cancel":                    {requests.Action{Verb: requests.Cancel}, []policy.RequestStatus{cancelled, cancelled, cancelled, cancelled, refused, cancelled}},
		"complete":                  {requests.Action{Verb: requests.Complete}, []policy.RequestStatus{refused, refused, completed, refused, refused, refused}},
		"approve the required slot": {requests.Action{Verb: requests.Approve}, []policy.RequestStatus{refused, approved, approved, refused, refused, refused}},
		"approve the optional slot": {requests.Action{Verb: requests.Approve, Slot: 1}, []policy.RequestStatus{refused, inProgress, approved, refused, refused, refused}},
		"reject the required slot":  {requests.Action{Verb: requests.Reject}, []policy.RequestStatus{refused, rejected, rejected, refused, refused, refused}},
		"reject the optional slot":  {requests.Action{Verb: requests.Reject, Slot: 1}, []policy.RequestStatus{refused, inProgress, approved, refused, refused, refused}},
		"reset the rejected slot":   {requests.Action{Verb: requests.Reset}, []policy.RequestStatus{refused, refused, refused, inProgress, refused, refused}},
		"reset a slot not rejected": {requests.Action{Verb: requests.Reset, Slot: 1}, []policy.RequestStatus{refused, refused, refused, refused, refused, refused}},
		"change a part":             {requests.Action{Verb: requests.ChangePart}, []policy.RequestStatus{draft, refused, refused, refused, refused, refused}},
		"change the rest":           {requests.Action{Verb: requests.ChangeRest}, []policy.RequestStatus{draft, inProgress, approved, rejected, refused, refused}},
		"delete":                    {requests.Action{Verb: requests.Delete}, []policy.RequestStatus{draft, refused, refused, refused, refused, refused}},
	}
	for name, tt := range tests {
		for i, status := range statuses {
			t.Run(name+" of "+string(status), func(t *testing.T) {
				t.Parallel()

				next, err := requests.Apply(stateOf(status), tt.action)
				if tt.want[i] == refused {
					require.True(t, apperr.Is(err, apperr.Conflict), "err: %v", err)
					require.Equal(t, stateOf(status), next)
					return
				}
				require.NoError(t, err)
				require.Equal(t, tt.want[i], next.Status)
			})
		}
	}
}

func TestOptionalSlotIsReset(t *testing.T) {
	t.Parallel()

	for _, status := range []policy.RequestStatus{inProgress, approved, rejected} {
		state := stateOf(status)
		state.Slots[1].Decision = policy.Rejected
		next, err := requests.Apply(state, requests.Action{Verb: requests.Reset, Slot: 1})
		require.NoError(t, err)
		require.Equal(t, stateOf(status), next, "the status stays")
	}
}

func TestApplyKeepsTheStateBefore(t *testing.T) {
	t.Parallel()

	before := stateOf(inProgress)
	next, err := requests.Apply(before, requests.Action{Verb: requests.Approve})
	require.NoError(t, err)
	require.Equal(t, policy.Approved, next.Slots[0].Decision)
	require.Equal(t, stateOf(inProgress), before)
}

func TestActivation(t *testing.T) {
	t.Parallel()

	t.Run("needs a version and an environment", func(t *testing.T) {
		t.Parallel()

		for _, incomplete := range []requests.State{{Status: draft, Versions: 1}, {Status: draft, Environments: 1}} {
			_, err := requests.Apply(incomplete, requests.Action{Verb: requests.Activate})
			require.True(t, apperr.Is(err, apperr.Conflict), "err: %v", err)
		}
	})
	t.Run("approves a request without required slots", func(t *testing.T) {
		t.Parallel()

		next, err := requests.Apply(requests.State{Status: draft, Versions: 1, Environments: 1, Slots: []requests.SlotState{{}}}, requests.Action{Verb: requests.Activate})
		require.NoError(t, err)
		require.Equal(t, approved, next.Status)
	})
	t.Run("ends with its decisions", func(t *testing.T) {
		t.Parallel()

		next, err := requests.Apply(stateOf(rejected), requests.Action{Verb: requests.Deactivate})
		require.NoError(t, err)
		require.Equal(t, int64(2), next.Activation)
		require.Equal(t, []requests.SlotState{{Required: true}, {}}, next.Slots)
	})
}

func TestDecisions(t *testing.T) {
	t.Parallel()

	two := requests.State{Status: inProgress, Activation: 1, Versions: 1, Environments: 1, Slots: []requests.SlotState{{Required: true}, {Required: true}}}
	first, err := requests.Apply(two, requests.Action{Verb: requests.Approve})
	require.NoError(t, err)
	require.Equal(t, inProgress, first.Status, "one required slot is open")
	second, err := requests.Apply(first, requests.Action{Verb: requests.Approve, Slot: 1})
	require.NoError(t, err)
	require.Equal(t, approved, second.Status)
	revised, err := requests.Apply(second, requests.Action{Verb: requests.Reject})
	require.NoError(t, err)
	require.Equal(t, rejected, revised.Status, "a slot has its latest decision")
	reset, err := requests.Apply(revised, requests.Action{Verb: requests.Reset})
	require.NoError(t, err)
	require.Equal(t, inProgress, reset.Status)
	require.Equal(t, policy.Approved, reset.Slots[1].Decision)
}
