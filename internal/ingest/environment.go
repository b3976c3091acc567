package ingest

import (
	"strings"
	"unicode"
)

// EnvironmentType is the purpose of an environment.
type EnvironmentType string

// The types, in the order of a promotion; OtherType has no place in it.
const (
	DevType        EnvironmentType = "dev"
	TestType       EnvironmentType = "test"
	StagingType    EnvironmentType = "staging"
	ProductionType EnvironmentType = "production"
	OtherType      EnvironmentType = "other"
)

//nolint:gochecknoglobals // a constant table
var typeOfToken = map[string]EnvironmentType{
	"dev": DevType, "develop": DevType, "development": DevType, "local": DevType, "sandbox": DevType,
	"test": TestType, "testing": TestType, "qa": TestType, "integration": TestType, "ci": TestType,
	"staging": StagingType, "stage": StagingType, "stg": StagingType, "uat": StagingType, "preprod": StagingType,
	"preproduction": StagingType, "preview": StagingType,
	"production": ProductionType, "prod": ProductionType, "prd": ProductionType, "live": ProductionType,
}

// reviewTokens mark environments that a code review creates. They take precedence over all other tokens.
//
//nolint:gochecknoglobals // a constant table
var reviewTokens = map[string]bool{"review": true, "pr": true, "mr": true, "feature": true, "branch": true, "ephemeral": true}

// InferEnvironmentType infers the type from the tokens of the environment's name: whole tokens, never substrings, without
// the digits at their ends. A review token makes it dev. Otherwise the first token of dev, test or staging decides, and
// production is inferred only when there is none.
func InferEnvironmentType(name string) EnvironmentType {
	inferred := OtherType
	previous := ""
	for token := range strings.FieldsFuncSeq(strings.ToLower(name), isSeparator) {
		token = strings.TrimRightFunc(token, unicode.IsDigit)
		if reviewTokens[token] {
			return DevType
		}
		found, known := typeOfToken[token]
		if found == ProductionType {
			found, known = classifyProductionQualifier(previous)
		}
		if known && (inferred == OtherType || inferred == ProductionType && found != ProductionType) {
			inferred = found
		}
		if token != "" {
			previous = token
		}
	}
	return inferred
}

// classifyProductionQualifier returns the type of a production token after the previous one: "pre-prod" is staging, and "non-prod"
// has no type.
func classifyProductionQualifier(previous string) (EnvironmentType, bool) {
	switch previous {
	case "pre":
		return StagingType, true
	case "non", "not", "no":
		return OtherType, false
	default:
		return ProductionType, true
	}
}

// isSeparator reports whether the character separates tokens. A combining mark belongs to the letter before it.
func isSeparator(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
}
