package governance

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
)

// defaultBreakGlassMinutes is for how many minutes a break-glass grant may be active unless the account has another setting.
const defaultBreakGlassMinutes = 60

// SettingsPatch is what to change; nil stays.
type SettingsPatch struct {
	RequesterMayApprove, BreakGlassSecondPerson *bool
	BreakGlassMaxMinutes                        *int
	ApprovalMails                               *bool
}

// Settings returns the settings of an account, or the defaults.
func Settings(ctx context.Context, db *postgres.DB, accountID uuid.UUID) (dbgen.GovernanceState, error) {
	state, err := db.GetGovernanceSettings(ctx, accountID)
	if errors.Is(err, pgx.ErrNoRows) {
		return dbgen.GovernanceState{
			AccountID: accountID, Revision: 1, BreakGlassMaxMinutes: defaultBreakGlassMinutes, ApprovalMails: true, SettingsRevision: 1,
		}, nil
	}
	return state, postgres.Classify(err)
}

// UpdateSettings changes settings of an account.
func (r Rules) UpdateSettings(ctx context.Context, target etag.Ref, patch SettingsPatch, now time.Time) (state dbgen.GovernanceState, err error) {
	err = r.change(ctx, target.AccountID, func(db *postgres.DB) (bool, error) {
		if state, err = lockState(ctx, db, target.AccountID); err != nil {
			return false, err
		}
		if err := target.Verify(state.SettingsRevision); err != nil {
			return false, err
		}
		before := settingsMembers(state)
		state.RequesterMayApprove = ptr.Or(patch.RequesterMayApprove, state.RequesterMayApprove)
		state.BreakGlassSecondPerson = ptr.Or(patch.BreakGlassSecondPerson, state.BreakGlassSecondPerson)
		state.BreakGlassMaxMinutes = int32(ptr.Or(patch.BreakGlassMaxMinutes, int(state.BreakGlassMaxMinutes))) //nolint:gosec // at most 240
		state.ApprovalMails = ptr.Or(patch.ApprovalMails, state.ApprovalMails)
		changed := audit.Compare(before, settingsMembers(state))
		if len(changed) == 0 {
			return false, nil
		}
		state, err = db.UpdateGovernanceSettings(ctx, dbgen.UpdateGovernanceSettingsParams{
			AccountID: target.AccountID, RequesterMayApprove: state.RequesterMayApprove, BreakGlassSecondPerson: state.BreakGlassSecondPerson,
			BreakGlassMaxMinutes: state.BreakGlassMaxMinutes, ApprovalMails: state.ApprovalMails, Now: now,
		})
		if err != nil {
			return false, postgres.Classify(err)
		}
		return true, audit.Record(ctx, db, audit.Change{
			AccountID: target.AccountID, Action: "governance_settings.update", ObjectType: "governance_settings", ObjectID: target.AccountID, Values: changed,
		})
	})
	return state, err
}

// settingsMembers returns the members that the audit log has the values of.
func settingsMembers(state dbgen.GovernanceState) []audit.Member {
	return []audit.Member{
		{Name: "requester_may_approve", Value: state.RequesterMayApprove},
		{Name: "break_glass_second_person", Value: state.BreakGlassSecondPerson},
		{Name: "break_glass_max_minutes", Value: state.BreakGlassMaxMinutes},
		{Name: "approval_mails", Value: state.ApprovalMails},
	}
}
