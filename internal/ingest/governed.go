package ingest

import (
	"bytes"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/policy"
)

const (
	repeatOfRejection = 3 * time.Minute    // in which a start that is rejected for the same reasons is not recorded again
	attemptRetention  = 24 * time.Hour     // in which a start without a run belongs to the attempt of its version
	slotRetention     = 7 * 24 * time.Hour // after which a silent deployment counts for no rule
)

// governed is the part of a working set that rules depend on. Its zero value has no rules.
type governed struct {
	rules map[uuid.UUID]*Rules // of the accounts whose starts are evaluated
	facts FactSource
	// hasExceptions is whether the facts have those of exceptions, and needsExceptions whether a start needs them.
	hasExceptions, needsExceptions bool

	slots map[uuid.UUID]map[uuid.UUID]*slotState // by account and deployment; loaded with the facts
	freed map[uuid.UUID]pairKey                  // the pair of each deployment whose slot is deleted

	completions []completion
	observing   map[uuid.UUID]bool // the accounts with rules
	observed    []ObservedDeployment
	violations  []violation
	usedGrants  map[uuid.UUID]UsedGrant
}

type slotState struct {
	AdmittedSlot

	isDirty bool
}

// completion is a deployment that has completed in the batch.
type completion struct {
	accountID, productID, environmentID, versionID uuid.UUID
	at                                             time.Time
}

// violation is what a rule has found about a start, for the log of violations.
type violation struct {
	policy.Violation

	id, accountID, apiKeyID, grantID uuid.UUID
	deployment                       Subject
	at                               time.Time
}

// Kind is the job's name in the queue.
func (UsedGrant) Kind() string { return "report_used_grant" }

// ObserveArgs is the job that evaluates deployments which were reported at their end only.
type ObserveArgs struct {
	AccountID   uuid.UUID            `json:"account_id"`
	Deployments []ObservedDeployment `json:"deployments"`
}

const observeKind = "observe_deployments"

// Kind is the job's name in the queue.
func (ObserveArgs) Kind() string { return observeKind }

// The queues of the jobs of accounts.
const (
	JobQueue     = "notifications"
	ObserveQueue = "observations" // of the jobs that may take seconds: one at a time on a server
	EmailQueue   = "emails"       // of those that send an e-mail to a user: a few at a time on a server
)

// UserEmailKind is the kind of the jobs that send an e-mail to a user.
const UserEmailKind = "send_user_email"

// QueueOf returns the queue of a kind of jobs.
func QueueOf(kind string) string {
	switch kind {
	case observeKind:
		return ObserveQueue
	case UserEmailKind:
		return EmailQueue
	default:
		return JobQueue
	}
}

// ObservedDeployment is a deployment that was reported at its end only.
type ObservedDeployment struct {
	AccountID    uuid.UUID `json:"account_id"`
	DeploymentID uuid.UUID `json:"deployment_id"`
	APIKeyID     uuid.UUID `json:"api_key_id"`
}

// UsedGrant is the job that reports that a deployment has used a break-glass grant.
type UsedGrant struct {
	AccountID    uuid.UUID `json:"account_id"`
	GrantID      uuid.UUID `json:"grant_id"`
	DeploymentID uuid.UUID `json:"deployment_id"`
	APIKeyID     uuid.UUID `json:"api_key_id"`
	Product      string    `json:"product"`
	Environment  string    `json:"environment"`
	Deployer     string    `json:"deployer"`
	At           time.Time `json:"at"`
}

// startOf returns the start that an event reports.
func startOf(event Event) Start {
	return Start{AccountID: event.AccountID, Product: event.ProductName, Environment: event.EnvironmentName, Version: event.Version}
}

// evaluate decides whether an event may have its outcome; the verdict is nil if no rule applies to it: only an event that would make a
// deployment started is evaluated.
func (w *workingSet) evaluate(event Event, pair *resolvedPair, outcome Outcome, now time.Time) (*policy.Set, policy.Attempt, policy.Facts, *policy.Verdict) {
	rules := w.governed.rules[event.AccountID]
	isStart := outcome.Effect == Created || outcome.Effect == Progressed
	if rules.IsEmpty() || w.kind != Deployment || event.Status != Started || !isStart {
		return nil, policy.Attempt{}, policy.Facts{}, nil
	}
	attempt := policy.Attempt{
		InvokeID: event.InvokeID, Attempt: event.Attempt, SkipRequested: event.SkipPreflight, SkipPermitted: event.MaySkipPreflight,
	}
	if outcome.Effect == Progressed {
		attempt.DeploymentID = outcome.Subject.ID
	}
	facts := w.factsOf(event, pair, outcome.Version.ID)
	verdict := rules.Set.Evaluate(now, attempt, facts)
	if verdict.MayBeExcepted && !w.governed.hasExceptions {
		w.governed.needsExceptions = true
	}
	return rules.Set, attempt, facts, &verdict
}

// factsOf returns the facts of a start as the earlier events of the batch have left them.
func (w *workingSet) factsOf(event Event, pair *resolvedPair, versionID uuid.UUID) policy.Facts {
	facts := w.governed.facts.Facts(startOf(event))
	facts.Version.ID = versionID
	if current, ok := w.subjects[w.pairs[pair.key].CurrentID]; ok {
		facts.Current = &current.VersionID
	}
	for _, one := range w.governed.completions {
		if one.accountID != event.AccountID || one.productID != pair.key.productID {
			continue
		}
		if one.versionID == versionID {
			facts.Completed[one.environmentID] = append(facts.Completed[one.environmentID], one.at)
			facts.Runs[one.environmentID] = append(facts.Runs[one.environmentID], policy.Span{From: one.at})
			continue
		}
		for i, run := range facts.Runs[one.environmentID] {
			if run.Until.IsZero() && !one.at.Before(run.From) {
				facts.Runs[one.environmentID][i].Until = one.at
			}
		}
	}
	facts.Grants = slices.DeleteFunc(slices.Clone(facts.Grants), func(grant policy.Grant) bool {
		_, isUsed := w.governed.usedGrants[grant.ID]
		return isUsed
	})
	for _, slot := range w.governed.slots[event.AccountID] {
		facts.Slots = append(facts.Slots, slot.Slot)
	}
	return facts
}

// loadSlots sorts the slots that were read into those in progress and those to delete. A slot is deleted under a lock only: that of its
// pair, or that of the account.
func (w *workingSet) loadSlots(now time.Time) {
	for accountID, rules := range w.governed.rules {
		slots := make(map[uuid.UUID]*slotState)
		for _, slot := range w.governed.facts.Slots(accountID) {
			pair := pairKey{accountID: accountID, productID: slot.Product.ID, partnerID: slot.Environment.ID}
			_, isLocked := w.pairs[pair]
			isOver := slot.IsEnded || now.Sub(slot.LastEventAt) > slotRetention
			switch {
			case !isOver:
				slots[slot.DeploymentID] = &slotState{AdmittedSlot: slot}
			case isLocked || rules.IsWide:
				w.governed.freed[slot.DeploymentID] = pair
			}
		}
		w.governed.slots[accountID] = slots
	}
}

// admit completes the outcome of a start that may happen, and stores what comes of the verdict.
func (w *workingSet) admit(outcome *Outcome, event Event, facts policy.Facts, verdict policy.Verdict, now time.Time) {
	outcome.Subject.Metadata = mergeMetadata(outcome.Subject.Metadata, preflightStatus(verdict, now))
	outcome.Subject.DeploymentRequestID = verdict.DeploymentRequestID
	w.recordViolations(event, outcome.Subject, verdict, now)
	if verdict.GrantID != uuid.Nil {
		pair := w.names[nameOf(event)]
		w.governed.usedGrants[verdict.GrantID] = UsedGrant{
			AccountID: event.AccountID, GrantID: verdict.GrantID, DeploymentID: outcome.Subject.ID, APIKeyID: event.APIKeyID,
			Product: pair.productName, Environment: pair.environmentName, Deployer: holder(outcome.Subject), At: now,
		}
	}
	if !w.governed.rules[event.AccountID].Set.Needs(facts.Product, facts.Environment).Slots {
		return
	}
	subject := outcome.Subject
	w.governed.slots[event.AccountID][subject.ID] = &slotState{isDirty: true, AdmittedSlot: AdmittedSlot{
		Slot: policy.Slot{
			DeploymentID: subject.ID, Product: facts.Product, Environment: facts.Environment, VersionID: subject.VersionID,
			InvokeID: subject.InvokeID, Attempt: subject.Attempt, Holder: holder(subject), StartedAt: subject.StartedAt, LastEventAt: now,
		},
		Fingerprint: event.Fingerprint[:],
	}}
}

func holder(subject Subject) string {
	if subject.ByName != "" {
		return subject.ByName
	}
	return subject.By
}

// follow keeps the slots and completions in step with a subject that an event has changed.
func (w *workingSet) follow(subject Subject) {
	slots := w.governed.slots[subject.AccountID]
	if slot, ok := slots[subject.ID]; ok {
		slot.LastEventAt = later(slot.LastEventAt, subject.LastEventAt)
		if subject.Status != Started {
			delete(slots, subject.ID)
			w.governed.freed[subject.ID] = w.pairOf(subject)
		}
	}
}

// complete keeps a completion for the facts of later starts.
func (w *workingSet) complete(event Event, outcome Outcome) {
	isCompletion := event.Status == Completed && (outcome.Effect == Created || outcome.Effect == Terminated)
	if !isCompletion || w.governed.facts == nil {
		return
	}
	subject := outcome.Subject
	w.governed.completions = append(w.governed.completions, completion{
		accountID: subject.AccountID, productID: subject.ProductID, environmentID: subject.EnvironmentID, versionID: subject.VersionID, at: subject.CompletedAt,
	})
}

// observe keeps a deployment that was reported at its end only, for the job that evaluates it: nothing could be blocked. What happened long
// ago is not evaluated.
func (w *workingSet) observe(event Event, outcome Outcome, now time.Time) {
	subject := outcome.Subject
	isLive := outcome.Effect == Created && event.Status.IsTerminal() && now.Sub(subject.OccurredAt) < backfillAge
	if w.kind == Deployment && isLive && w.governed.observing[event.AccountID] {
		w.governed.observed = append(w.governed.observed, ObservedDeployment{AccountID: subject.AccountID, DeploymentID: subject.ID, APIKeyID: event.APIKeyID})
	}
}

// beat keeps the slot of a deployment whose start is reported again: with a changed body it is a heartbeat.
func (w *workingSet) beat(event Event, subject Subject, now time.Time) {
	slot, ok := w.governed.slots[event.AccountID][subject.ID]
	if !ok || event.Status != Started || bytes.Equal(slot.Fingerprint, event.Fingerprint[:]) {
		return
	}
	slot.LastEventAt, slot.Fingerprint, slot.isDirty = now, event.Fingerprint[:], true
}

// attemptOf returns the attempt that a start or end belongs to, nil if there is none: that of the same run and attempt number, and without
// a run the one of the version in a day. An attempt that another deployment than that of the outcome has followed is over.
func (w *workingSet) attemptOf(event Event, pair *resolvedPair, outcome Outcome, now time.Time) *Subject {
	for _, id := range w.runs[runKey{pair: pair.key, versionID: outcome.Version.ID, invokeID: event.InvokeID}] {
		one := w.subjects[id].Subject
		switch {
		case id == outcome.Subject.ID: // it was planned
		case one.Status != PreflightFailed:
			return nil
		case event.InvokeID == "" && now.Sub(one.LastRejectedAt) > attemptRetention:
			return nil
		case event.InvokeID == "" || one.Attempt == event.Attempt:
			return &one
		}
	}
	return nil
}

// linkAttempt notes the attempt that came before a deployment, when it starts. One that begins with its end was deployed although its start
// was rejected.
func (w *workingSet) linkAttempt(outcome *Outcome, event Event, pair *resolvedPair, now time.Time) {
	begins := outcome.Effect == Created && event.Status != Pending || outcome.Effect == Progressed
	if !begins || w.kind != Deployment {
		return
	}
	attempt := w.attemptOf(event, pair, *outcome, now)
	if attempt == nil {
		return
	}
	outcome.Subject.PreviousAttemptID = attempt.ID
	if event.Status.IsTerminal() {
		outcome.Subject.Metadata = mergeMetadata(outcome.Subject.Metadata, afterRejection())
	}
}

// reject records a start that rules block, and returns the error that answers it. The deployment of the outcome does not start: it is an
// attempt. A start that is rejected again for the same reasons within repeatOfRejection records nothing.
func (w *workingSet) reject(event Event, pair *resolvedPair, outcome Outcome, verdict policy.Verdict, next policy.Next, now time.Time) (attempt Subject) {
	known := w.attemptOf(event, pair, outcome, now)
	isNew := known == nil || outcome.Effect == Progressed // the planned deployment becomes the attempt
	if !isNew && now.Sub(known.LastRejectedAt) < repeatOfRejection && slices.Equal(codesOf(known.Metadata), blockingCodes(verdict)) {
		return *known
	}
	if isNew {
		attempt = outcome.Subject
		attempt.StartedAt, attempt.Rejections = time.Time{}, 0
	} else {
		attempt = *known
		attempt.Details = attempt.merge(event.Details)
		attempt.Metadata = mergeMetadata(attempt.Metadata, event.Metadata)
	}
	attempt.Status, attempt.LastEventAt, attempt.LastRejectedAt = PreflightFailed, later(attempt.LastEventAt, now), now
	attempt.Rejections++
	attempt.Metadata = mergeMetadata(attempt.Metadata, preflightStatus(verdict, now))
	w.put(attempt)
	shared, version := w.pairs[pair.key], w.versionOf(event, pair)
	if without := shared.without(attempt.ID); !without.equal(shared.Pair) {
		shared.Pair, shared.isDirty = without, true
	}
	if version.createdAt.IsZero() {
		version.createdAt = now
	}
	w.recordViolations(event, attempt, verdict, now)
	recorded := recordedEvent{event: event, effect: Rejected, subjectID: attempt.ID, receivedAt: now}
	if isNew { // one notice for an attempt
		recorded.notice = &PreflightNotice{
			EventType: "deployment.preflight_failed", Code: string(verdict.First().Code), Message: verdict.Message(), RetryAt: next.AllowedAt,
			OpenApprovals: openApprovals(verdict.Violations),
		}
	}
	w.recorded = append(w.recorded, recorded)
	return attempt
}

// without returns the pair after one of its unfinished deployments has turned out to be an attempt: its latest deployment is then the
// unfinished one before it, else the current one.
func (p Pair) without(id uuid.UUID) Pair {
	if i := slices.Index(p.OpenIDs, id); i >= 0 {
		p.OpenIDs = slices.Delete(slices.Clone(p.OpenIDs), i, i+1)
	}
	if p.LatestID != id {
		return p
	}
	p.LatestID = p.CurrentID
	if n := len(p.OpenIDs); n > 0 {
		p.LatestID = p.OpenIDs[n-1]
	}
	return p
}

// recordViolations keeps what rules have found for the log of violations.
func (w *workingSet) recordViolations(event Event, deployment Subject, verdict policy.Verdict, now time.Time) {
	for _, one := range slices.Concat(verdict.Violations, verdict.Reports) {
		w.governed.violations = append(w.governed.violations, violation{
			Violation: one, id: newID(), accountID: event.AccountID, apiKeyID: event.APIKeyID, grantID: verdict.GrantID, deployment: deployment, at: now,
		})
	}
}

// admissionNotice returns the notice of a start that happened although rules would have blocked it; nil: none would.
func admissionNotice(verdict *policy.Verdict) *PreflightNotice {
	if verdict == nil || verdict.Status != policy.StatusSkipped && verdict.Status != policy.StatusOverridden {
		return nil
	}
	first := verdict.Violations[0]
	return &PreflightNotice{
		EventType: "deployment.preflight_" + string(verdict.Status), Code: string(first.Code), Message: first.Message, OpenApprovals: openApprovals(verdict.Violations),
	}
}

// openApprovals returns the types of approvals that violations miss, each once.
func openApprovals(violations []policy.Violation) (types []policy.ApprovalType) {
	for _, violation := range violations {
		for _, missing := range violation.Missing {
			if !slices.Contains(types, missing) {
				types = append(types, missing)
			}
		}
	}
	return types
}

// rejection returns the error that answers a start that rules block.
func rejection(verdict policy.Verdict, next policy.Next, attempt uuid.UUID) *apperr.Error {
	first := verdict.First()
	code := apperr.Precondition
	switch first.Code {
	case policy.DeploymentInProgress:
		code = apperr.Blocked
	case policy.NoDeployWindow:
		code = apperr.Frozen
	case policy.FlowViolation, policy.InsufficientSoakTime, policy.ApprovalRequired, policy.QualityApprovalRequired:
	}
	return apperr.NewRejection(code, verdict.Message(), apperr.Rejection{
		Reason: string(first.Code), RetryAt: next.AllowedAt, Details: rejectionDetails(verdict, attempt),
	})
}

// IsRejection reports whether an error answers a start that rules have blocked.
func IsRejection(err error) bool {
	return apperr.Is(err, apperr.Blocked) || apperr.Is(err, apperr.Frozen) || apperr.Is(err, apperr.Precondition)
}
