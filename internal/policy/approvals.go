package policy

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// The reasons why an approval is missing, in the order in which a request is closer to pass.
const (
	reasonNoRequest        = "no_request"
	reasonNotActive        = "not_active"
	reasonRejected         = "rejected"
	reasonApprovalsMissing = "approvals_missing"
	reasonApprovalsExpired = "approvals_expired"
	reasonPreStepsOpen     = "pre_steps_open"
)

// ApproverRoles returns the roles whose users may give any of the approvals: in slots of deployment requests, or of versions.
func ApproverRoles(ruleType RuleType, types []ApprovalType) []string {
	roles := []string{"admin", "release_manager"}
	for _, approvalType := range types {
		role := ""
		switch approvalType {
		case ReleaseManager: // those that may give all
		case UAT:
			role = "product"
		case QA:
			role = "qa"
		case Performance:
			roles = appendNew(roles, "qa")
			role = "sre"
		case Security:
			role = "security"
		case Compliance:
			role = "compliance"
		case CodeReview:
			if ruleType == DeploymentRequestRule {
				role = "developer"
			}
		}
		if role != "" {
			roles = appendNew(roles, role)
		}
	}
	return roles
}

func appendNew[T comparable](list []T, value T) []T {
	if slices.Contains(list, value) {
		return list
	}
	return append(list, value)
}

// expiry returns when an approval expires.
func expiry(given time.Time, hours *int) int64 {
	if hours == nil {
		return never
	}
	return nano(given.Add(time.Duration(*hours) * time.Hour))
}

// versionApproval is a VersionApproval with the reference to its environment.
type versionApproval struct {
	VersionApproval
	environment *reference
}

func newVersionApproval(config *VersionApproval) *versionApproval {
	c := &versionApproval{VersionApproval: *config}
	if config.Environment != nil {
		c.environment = new(newReference(*config.Environment))
	}
	return c
}

// counts reports whether the approval is for an environment whose approvals count.
func (c *versionApproval) counts(e *evaluation, a *Approval) bool {
	if c.environment == nil {
		return a.EnvironmentID == nil || *a.EnvironmentID == e.facts.Environment.ID
	}
	id, isKnown := e.facts.Environments.find(*c.environment)
	return isKnown && a.EnvironmentID != nil && *a.EnvironmentID == id
}

// approval returns until when the version is approved: of the decisions for each environment, the latest counts, and one
// rejection prevails. Without an approval, expires is always.
func (c *versionApproval) approval(e *evaluation, approvalType ApprovalType) (expires int64, isRejected bool) {
	expires = always
	for i := range e.facts.Approvals {
		a := &e.facts.Approvals[i]
		if a.Type != approvalType || a.Revoked || !c.counts(e, a) || !isLatest(e.facts.Approvals, i) {
			continue
		}
		if a.Decision != Approved {
			return always, true
		}
		expires = max(expires, expiry(a.GivenAt, c.ApprovalTimeoutHours))
	}
	return expires, false
}

// isLatest reports whether no other approval of the same type and environment is newer; of equally old ones, the last in the list is
// the newest.
func isLatest(approvals []Approval, at int) bool {
	a := &approvals[at]
	for i := range approvals {
		other := &approvals[i]
		if i == at || other.Revoked || other.Type != a.Type || *orZero(other.EnvironmentID) != *orZero(a.EnvironmentID) {
			continue
		}
		if other.GivenAt.After(a.GivenAt) || other.GivenAt.Equal(a.GivenAt) && i > at {
			return false
		}
	}
	return true
}

func (c *versionApproval) blocked(e *evaluation) spans {
	expires := int64(never)
	for _, approvalType := range c.RequiredApprovals {
		until, _ := c.approval(e, approvalType)
		expires = min(expires, until)
	}
	return spans{single: span{expires, never}}
}

func (c *versionApproval) explain(e *evaluation, at time.Time, v *Violation) {
	d := approvalDetails{required: c.RequiredApprovals, reason: reasonApprovalsMissing}
	isExpired, isAnyRejected := false, false
	for _, approvalType := range c.RequiredApprovals {
		expires, isRejected := c.approval(e, approvalType)
		isAnyRejected = isAnyRejected || isRejected
		isExpired = isExpired || expires != always && expires <= nano(at)
		d.add(approvalType, expires > nano(at))
	}
	switch {
	case isAnyRejected:
		d.reason = reasonRejected
	case isExpired:
		d.reason = reasonApprovalsExpired
	}
	v.Code = QualityApprovalRequired
	d.describe(v)
	v.Message = v.RuleName + ": version " + e.version() + " " + d.sentence() + "."
}

// approvalDetails are which approvals a violation is about.
type approvalDetails struct {
	ruleType                   RuleType
	required, current, missing []ApprovalType
	reason                     string
	requestID                  uuid.UUID
}

func (d *approvalDetails) add(approvalType ApprovalType, isApproved bool) {
	if isApproved {
		d.current = append(d.current, approvalType)
	} else {
		d.missing = append(d.missing, approvalType)
	}
}

func (d *approvalDetails) describe(v *Violation) {
	d.ruleType = v.RuleType
	v.Missing, v.DeploymentRequestID, v.Details = d.missing, d.requestID, d
}

// Members implements Details.
func (d *approvalDetails) Members() map[string]any {
	members := map[string]any{
		"required_approvals": emptyIfNil(d.required), "current_approvals": emptyIfNil(d.current), "missing_approvals": emptyIfNil(d.missing),
		"approver_roles": []string{}, "reason": d.reason, "deployment_request_id": nil,
	}
	if len(d.missing) > 0 {
		members["approver_roles"] = ApproverRoles(d.ruleType, d.missing)
	}
	if d.requestID != uuid.Nil {
		members["deployment_request_id"] = d.requestID
	}
	return members
}

func emptyIfNil(types []ApprovalType) []ApprovalType {
	if types == nil {
		return []ApprovalType{}
	}
	return types
}

// sentence continues "version 1.4.2".
func (d *approvalDetails) sentence() string {
	list := JoinTypes(d.missing)
	switch d.reason {
	case reasonRejected:
		return "was rejected; missing approvals: " + list
	case reasonApprovalsExpired:
		return "needs new approvals, as former ones have expired: " + list
	default:
		return "needs approvals: " + list
	}
}

// deploymentRequest is a rule that requires a deployment request.
type deploymentRequest struct{ DeploymentRequest }

// assess returns until when the request lets the version pass, and why it does not at a time.
func (c *deploymentRequest) assess(r *Request, at int64) (expires int64, d approvalDetails) {
	d.requestID = r.ID
	for i := range r.Approvals {
		if r.Approvals[i].Required {
			d.required = appendNew(d.required, r.Approvals[i].Type)
		}
	}
	for _, approvalType := range c.RequiredApprovals {
		d.required = appendNew(d.required, approvalType)
	}
	expires = never
	isAnyExpired, isAnyMissing := false, false
	for _, approvalType := range d.required {
		until := int64(always)
		if i := slices.IndexFunc(r.Approvals, func(slot RequestApproval) bool { return slot.Type == approvalType }); i >= 0 && r.Approvals[i].Decision == Approved {
			until = expiry(r.Approvals[i].DecidedAt, c.ApprovalTimeoutHours)
		}
		isAnyMissing = isAnyMissing || until == always
		isAnyExpired = isAnyExpired || until != always && until <= at
		d.add(approvalType, until > at)
		expires = min(expires, until)
	}
	switch {
	case r.Status == RequestRejected:
		d.reason, expires = reasonRejected, always
	case r.Status != RequestInProgress && r.Status != RequestApproved:
		d.reason, expires = reasonNotActive, always
	case isAnyMissing:
		d.reason = reasonApprovalsMissing
	case isAnyExpired:
		d.reason = reasonApprovalsExpired
	case c.RequirePreSteps && r.OpenPreSteps > 0:
		d.reason = reasonPreStepsOpen
	}
	if c.RequirePreSteps && r.OpenPreSteps > 0 {
		expires = always
	}
	return expires, d
}

func (c *deploymentRequest) blocked(e *evaluation) spans {
	expires := int64(always)
	for i := range e.facts.Requests {
		if r := &e.facts.Requests[i]; e.isNamed(r) {
			until, _ := c.assess(r, 0)
			expires = max(expires, until)
		}
	}
	return spans{single: span{expires, never}}
}

func (c *deploymentRequest) explain(e *evaluation, at time.Time, v *Violation) {
	closest := approvalDetails{reason: reasonNoRequest, required: c.RequiredApprovals, missing: c.RequiredApprovals}
	ranks := []string{reasonNoRequest, reasonNotActive, reasonRejected, reasonApprovalsMissing, reasonApprovalsExpired, reasonPreStepsOpen}
	name := ""
	for i := range e.facts.Requests {
		r := &e.facts.Requests[i]
		if !e.isNamed(r) {
			continue
		}
		if _, d := c.assess(r, nano(at)); slices.Index(ranks, d.reason) > slices.Index(ranks, closest.reason) {
			closest, name = d, r.Name
		}
	}
	v.Code = ApprovalRequired
	closest.describe(v)
	if closest.reason == reasonNoRequest {
		v.Message = v.RuleName + ": no deployment request names version " + e.version() + " in " + e.environment() + "."
		return
	}
	subject := fmt.Sprintf("version %s in %s", e.version(), e.environment())
	switch closest.reason {
	case reasonNotActive:
		v.Message = fmt.Sprintf("%s: the deployment request %q for %s is not active.", v.RuleName, name, subject)
	case reasonRejected:
		v.Message = fmt.Sprintf("%s: the deployment request %q for %s was rejected.", v.RuleName, name, subject)
	case reasonPreStepsOpen:
		v.Message = fmt.Sprintf("%s: the deployment request %q for %s has steps to complete before.", v.RuleName, name, subject)
	default:
		v.Message = fmt.Sprintf("%s: the deployment request %q for %s %s.", v.RuleName, name, subject, closest.sentence())
	}
}

// isNamed reports whether the request names the version and the environment.
func (e *evaluation) isNamed(r *Request) bool {
	return e.facts.Version.ID != uuid.Nil && e.facts.Environment.ID != uuid.Nil &&
		slices.Contains(r.VersionIDs, e.facts.Version.ID) && slices.Contains(r.EnvironmentIDs, e.facts.Environment.ID)
}

// gate is a deployment request that blocks by itself.
type gate struct{ request *Request }

func (g gate) blocked(*evaluation) spans { return spans{single: span{always, never}} }

func (g gate) explain(e *evaluation, at time.Time, v *Violation) {
	rule := deploymentRequest{DeploymentRequest{RequirePreSteps: true}}
	_, d := rule.assess(g.request, nano(at))
	if d.reason == "" {
		d.reason = reasonNotActive // in progress without a required slot that is open
	}
	v.Code = ApprovalRequired
	d.describe(v)
	subject := fmt.Sprintf("Deployment request %q blocks version %s in %s", g.request.Name, e.version(), e.environment())
	if g.request.Status == RequestRejected {
		v.Message = subject + ": it was rejected."
		return
	}
	v.Message = subject + " until it is approved."
}
