package governance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/ingest"
	"github.com/versioner-io/versioner/internal/policy"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
)

// requestSlot is a slot for an approval, as queries return it.
type requestSlot struct {
	ApprovalType policy.ApprovalType `json:"approval_type"`
	Required     bool                `json:"required"`
	Status       string              `json:"status"`
	DecidedAt    *time.Time          `json:"decided_at"`
}

func (s requestSlot) approval() policy.RequestApproval {
	approval := policy.RequestApproval{Type: s.ApprovalType, Required: s.Required}
	if s.DecidedAt != nil {
		approval.Decision, approval.DecidedAt = policy.Decision(s.Status), *s.DecidedAt
	}
	return approval
}

// addRequest adds a request with its first slot, or another slot of the request that was added last.
func (f *facts) addRequest(row dbgen.ListFactRequestsRow) {
	start := ingest.Start{AccountID: row.AccountID, Product: row.ProductName, Environment: row.EnvironmentName, Version: row.Version}
	known := f.requests[start]
	if len(known) == 0 || known[len(known)-1].ID != row.ID {
		known = append(known, policy.Request{
			ID: row.ID, Name: row.Name, Status: policy.RequestStatus(row.Status), Gate: row.Gate,
			VersionIDs: []uuid.UUID{row.VersionID}, EnvironmentIDs: []uuid.UUID{row.EnvironmentID}, OpenPreSteps: int(row.OpenPreSteps),
		})
	}
	if row.ApprovalType != nil {
		slot := requestSlot{ApprovalType: policy.ApprovalType(*row.ApprovalType), Required: ptr.OrZero(row.Required), Status: ptr.OrZero(row.SlotStatus), DecidedAt: row.DecidedAt}
		last := &known[len(known)-1]
		last.Approvals = append(last.Approvals, slot.approval())
	}
	f.requests[start] = known
}

// PastRequest is a deployment request with the times of its changes, as far as they are known: decisions that others have replaced are not.
type PastRequest struct {
	ID                                    uuid.UUID
	Name                                  string
	Gate                                  bool
	EnvironmentIDs                        []uuid.UUID
	CreatedAt                             time.Time
	ActivatedAt, CompletedAt, CancelledAt *time.Time
	Slots                                 []requestSlot
	PreSteps                              []*time.Time // when each was done
}

// at returns the request as it was at a time.
func (r *PastRequest) at(at time.Time, versionID uuid.UUID) policy.Request {
	isBy := func(t *time.Time) bool { return t != nil && !t.After(at) }
	request := policy.Request{ID: r.ID, Name: r.Name, Gate: r.Gate, VersionIDs: []uuid.UUID{versionID}, EnvironmentIDs: r.EnvironmentIDs, Status: policy.RequestApproved}
	for _, slot := range r.Slots {
		if !isBy(slot.DecidedAt) {
			slot.DecidedAt = nil
		}
		past := slot.approval()
		request.Approvals = append(request.Approvals, past)
		switch {
		case !slot.Required || request.Status == policy.RequestRejected:
		case past.Decision == policy.Rejected:
			request.Status = policy.RequestRejected
		case past.Decision != policy.Approved:
			request.Status = policy.RequestInProgress
		}
	}
	for _, done := range r.PreSteps {
		if !isBy(done) {
			request.OpenPreSteps++
		}
	}
	switch {
	case isBy(r.CancelledAt):
		request.Status = policy.RequestCancelled
	case isBy(r.CompletedAt):
		request.Status = policy.RequestCompleted
	case !isBy(r.ActivatedAt):
		request.Status = policy.RequestDraft
	}
	return request
}

// loadRequests loads the deployment requests that name versions: all of the newest versions for which the limit suffices.
func (h *History) loadRequests(ctx context.Context, db *postgres.DB, accountID uuid.UUID, versionIDs []uuid.UUID) error {
	rows, err := db.ListRequestHistory(ctx, dbgen.ListRequestHistoryParams{AccountID: accountID, IDs: versionIDs, RowLimit: maxBacktestRequests + 1})
	if err != nil {
		return postgres.Classify(err)
	}
	if len(rows) > maxBacktestRequests {
		h.newestUnknown = rows[maxBacktestRequests].VersionID
		rows = slices.DeleteFunc(rows, func(row dbgen.ListRequestHistoryRow) bool { return row.VersionID == h.newestUnknown })
	}
	h.Requests = make(map[uuid.UUID][]PastRequest)
	for _, row := range rows {
		request := PastRequest{
			ID: row.ID, Name: row.Name, Gate: row.Gate, EnvironmentIDs: row.EnvironmentIDs,
			CreatedAt: row.CreatedAt, ActivatedAt: row.ActivatedAt, CompletedAt: row.CompletedAt, CancelledAt: row.CancelledAt,
		}
		if err := json.Unmarshal(row.Approvals, &request.Slots); err != nil {
			return fmt.Errorf("decode the approvals of request %s: %w", row.ID, err)
		}
		if err := json.Unmarshal(row.PreSteps, &request.PreSteps); err != nil {
			return fmt.Errorf("decode the steps of request %s: %w", row.ID, err)
		}
		h.Requests[row.VersionID] = append(h.Requests[row.VersionID], request)
	}
	return nil
}

// hasRequests reports whether the requests that name a version are known.
func (h *History) hasRequests(versionID uuid.UUID) bool {
	return h.newestUnknown == uuid.Nil || bytes.Compare(versionID[:], h.newestUnknown[:]) > 0
}

// ignoreGates makes requests block by a rule alone.
func (h *History) ignoreGates() {
	for _, requests := range h.Requests {
		for i := range requests {
			requests[i].Gate = false
		}
	}
}
