package ingest

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/internal/policy"
)

const (
	maxEvaluations = 50 // that an answer lists
	maxViolations  = 20
)

// evaluatedRule is what one rule found, as clients read it.
type evaluatedRule struct {
	RuleID       *uuid.UUID    `json:"rule_id"` // null for a deployment request that blocks by itself
	RuleName     string        `json:"rule_name"`
	Status       policy.Mode   `json:"status"`
	Result       policy.Result `json:"evaluation_result"`
	ErrorMessage *string       `json:"error_message"`
}

// preflight is extra_metadata.preflight_status.
type preflight struct {
	Status         string          `json:"status"` // passed, skipped, overridden or failed
	EvaluatedAt    *time.Time      `json:"evaluated_at,omitempty"`
	RulesEvaluated []evaluatedRule `json:"rules_evaluated,omitempty"`
	Codes          []policy.Code   `json:"codes,omitempty"` // of what blocks
	AfterRejection bool            `json:"after_rejection,omitempty"`
}

// preflightFailed is the status of an attempt.
const preflightFailed = "failed"

// preflightStatus returns the metadata that describe a verdict.
func preflightStatus(verdict policy.Verdict, now time.Time) json.RawMessage {
	at := now.UTC()
	status := preflight{Status: string(verdict.Status), EvaluatedAt: &at, RulesEvaluated: []evaluatedRule{}}
	if !verdict.Allowed() {
		status.Status, status.Codes = preflightFailed, blockingCodes(verdict)
	}
	for _, one := range verdict.Evaluations[:min(len(verdict.Evaluations), maxEvaluations)] {
		rule := evaluatedRule{RuleName: one.RuleName, Status: one.Mode, Result: one.Result}
		if one.RuleID != uuid.Nil {
			rule.RuleID = &one.RuleID
		}
		if one.Message != "" {
			rule.ErrorMessage = &one.Message
		}
		status.RulesEvaluated = append(status.RulesEvaluated, rule)
	}
	return status.metadata()
}

// afterRejection returns the metadata of a deployment whose end was reported although its start was rejected.
func afterRejection() json.RawMessage {
	return preflight{Status: preflightFailed, AfterRejection: true}.metadata()
}

func (p preflight) metadata() json.RawMessage {
	encoded, err := json.Marshal(map[string]preflight{"preflight_status": p})
	if err != nil {
		return json.RawMessage("{}") // it consists of texts and times
	}
	return encoded
}

// codesOf returns the codes that an attempt was rejected for.
func codesOf(metadata json.RawMessage) []policy.Code {
	var known struct {
		PreflightStatus preflight `json:"preflight_status"`
	}
	if json.Unmarshal(metadata, &known) != nil {
		return nil
	}
	return known.PreflightStatus.Codes
}

// blockingCodes returns the codes of what blocks, each once.
func blockingCodes(verdict policy.Verdict) []policy.Code {
	var codes []policy.Code
	for i := range verdict.Violations {
		if verdict.Violations[i].Action == policy.ActionBlocked {
			codes = append(codes, verdict.Violations[i].Code)
		}
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// encodeDetails returns the details of a violation as JSON.
func encodeDetails(details policy.Details) json.RawMessage {
	encoded, err := json.Marshal(details.Members())
	if err != nil {
		return json.RawMessage("{}")
	}
	return encoded
}

// listedViolation is a violation as clients read it.
type listedViolation struct {
	RuleID   *uuid.UUID      `json:"rule_id"`
	RuleName string          `json:"rule_name"`
	RuleType policy.RuleType `json:"rule_type"`
	Code     policy.Code     `json:"code"`
	Message  string          `json:"message"`
	ClearsAt *time.Time      `json:"clears_at"`
	Certain  bool            `json:"certain"`
}

// rejectionDetails returns the details of a rejection: the first violation that blocks, and all of them.
func rejectionDetails(verdict policy.Verdict, attempt uuid.UUID) map[string]any {
	first := verdict.First()
	details := map[string]any{
		"rule_name": first.RuleName, "rule_id": nil, "rule_type": first.RuleType, "attempt_id": attempt, "skip_ignored": verdict.SkipIgnored,
	}
	if first.RuleID != uuid.Nil {
		details["rule_id"] = first.RuleID
	}
	listed, total := []listedViolation{}, 0
	for i := range verdict.Violations {
		v := &verdict.Violations[i]
		if v.Action != policy.ActionBlocked {
			continue
		}
		if total++; total > maxViolations {
			continue
		}
		one := listedViolation{RuleName: v.RuleName, RuleType: v.RuleType, Code: v.Code, Message: v.Message, ClearsAt: v.ClearsAt, Certain: v.Certain}
		if v.RuleID != uuid.Nil {
			one.RuleID = &v.RuleID
		}
		listed = append(listed, one)
	}
	details["violations_total"], details["violations"] = total, listed
	maps.Copy(details, first.Details.Members())
	return details
}
