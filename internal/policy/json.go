package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The values of members that are absent.
const (
	DefaultPriority   = 100
	defaultStaleAfter = 60
)

// UnmarshalJSON decodes a rule. Absent members have their default, unknown ones are an error.
func (r *Rule) UnmarshalJSON(data []byte) error {
	type plain Rule
	rule := plain{Mode: Enabled, Priority: DefaultPriority}
	if err := decode(data, &rule); err != nil {
		return err
	}
	*r = Rule(rule)
	return nil
}

// UnmarshalJSON decodes a configuration. Absent members have their default.
func (c *Concurrency) UnmarshalJSON(data []byte) error {
	type plain Concurrency
	config := plain{Per: PerProductEnvironment, StaleAfterMinutes: defaultStaleAfter}
	if err := decode(data, &config); err != nil {
		return err
	}
	*c = Concurrency(config)
	return nil
}

// UnmarshalJSON decodes a configuration. Absent members have their default.
func (c *DeploymentRequest) UnmarshalJSON(data []byte) error {
	type plain DeploymentRequest
	config := plain{RequirePreSteps: true}
	if err := decode(data, &config); err != nil {
		return err
	}
	*c = DeploymentRequest(config)
	return nil
}

// SetConfig decodes the configuration of the rule's type, and removes any other.
func (r *Rule) SetConfig(data []byte) error {
	r.Schedule, r.Flow, r.Concurrency, r.DeploymentRequest, r.VersionApproval = nil, nil, nil, nil, nil
	switch r.Type {
	case ScheduleRule:
		return decode(data, &r.Schedule)
	case FlowRule:
		return decode(data, &r.Flow)
	case ConcurrencyRule:
		return decode(data, &r.Concurrency)
	case DeploymentRequestRule:
		return decode(data, &r.DeploymentRequest)
	case VersionApprovalRule:
		return decode(data, &r.VersionApproval)
	default:
		return fmt.Errorf("unknown type of rule %q", r.Type)
	}
}

// Config encodes the configuration of the rule's type.
func (r *Rule) Config() ([]byte, error) {
	var config any
	switch r.Type {
	case ScheduleRule:
		config = r.Schedule
	case FlowRule:
		config = r.Flow
	case ConcurrencyRule:
		config = r.Concurrency
	case DeploymentRequestRule:
		config = r.DeploymentRequest
	case VersionApprovalRule:
		config = r.VersionApproval
	}
	data, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("encode the configuration of a rule: %w", err)
	}
	return data, nil
}

// decode decodes one JSON value and rejects unknown members.
func decode(data []byte, value any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(value); err != nil {
		return fmt.Errorf("decode a rule: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("decode a rule: text after the value")
	}
	return nil
}

// Normalize rewrites the rule into the form that is stored: names without white space at their ends, types of approvals without
// aliases, a rollback where none was given, and no absent list. Call it before Validate.
func (r *Rule) Normalize() {
	r.Name = strings.TrimSpace(r.Name)
	if r.Rollback == nil && r.Type != ConcurrencyRule {
		r.Rollback = new(AllowRollback)
	}
	trimAll(&r.Scope.Products)
	trimAll(&r.Scope.Environments)
	trimAll(&r.Scope.EnvironmentTypes)
	if r.Schedule != nil {
		if r.Schedule.Windows == nil {
			r.Schedule.Windows = []Window{}
		}
		for i := range r.Schedule.Windows {
			window := &r.Schedule.Windows[i]
			window.Name = strings.TrimSpace(window.Name)
			if window.RRule != nil {
				window.RRule = new(strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(*window.RRule)), "RRULE:"))
			}
			trimAll(&window.ExDates)
		}
	}
	if r.Flow != nil {
		trimAll(&r.Flow.Prerequisites)
	}
	if r.DeploymentRequest != nil {
		normalizeAll(&r.DeploymentRequest.RequiredApprovals)
	}
	if r.VersionApproval != nil {
		normalizeAll(&r.VersionApproval.RequiredApprovals)
		if r.VersionApproval.Environment != nil {
			r.VersionApproval.Environment = new(strings.TrimSpace(*r.VersionApproval.Environment))
		}
	}
}

// trimAll replaces the list, which others may share, by one of trimmed texts that is not nil.
func trimAll(texts *[]string) {
	trimmed := make([]string, 0, len(*texts))
	for _, text := range *texts {
		trimmed = append(trimmed, strings.TrimSpace(text))
	}
	*texts = trimmed
}

func normalizeAll(types *[]ApprovalType) {
	normalized := slices.Clone(*types)
	if normalized == nil {
		normalized = []ApprovalType{}
	}
	for i, approvalType := range normalized {
		normalized[i] = approvalType.Normalize()
	}
	*types = normalized
}
