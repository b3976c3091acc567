package policy

import "strings"

// Words returns the type as messages for users name it, in the words of the dashboard; an unknown one unchanged.
func (t ApprovalType) Words() string {
	switch t {
	case UAT:
		return "user acceptance"
	case QA:
		return "QA"
	case CodeReview:
		return "code review"
	case ReleaseManager:
		return "release management"
	case Performance, Security, Compliance:
	}
	return string(t)
}

// JoinTypes lists types of approvals in words.
func JoinTypes(types []ApprovalType) string {
	names := make([]string, len(types))
	for i, approvalType := range types {
		names[i] = approvalType.Words()
	}
	return strings.Join(names, ", ")
}

// Words returns the type as messages for users name it, in the words of the dashboard.
func (t RuleType) Words() string {
	switch t {
	case DeploymentRequestRule:
		return "deployment request"
	case VersionApprovalRule:
		return "version approval"
	case ScheduleRule, FlowRule, ConcurrencyRule:
	}
	return string(t)
}

// Words returns the mode as messages for users name it, in the words of the dashboard.
func (m Mode) Words() string {
	if m == ReportOnly {
		return "reports only"
	}
	return string(m)
}
