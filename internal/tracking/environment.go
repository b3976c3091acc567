package tracking

import (
	"strings"
	"unicode"
)

// EnvironmentType is what an environment is for: contract.md §7.
type EnvironmentType string

// The types, in the order in which a version travels through them; OtherType stands apart.
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
	"staging": StagingType, "stage": StagingType, "uat": StagingType, "preprod": StagingType,
	"preproduction": StagingType, "preview": StagingType,
	"prod": ProductionType, "production": ProductionType, "live": ProductionType,
}

// InferEnvironmentType guesses the type from the words in an environment's name; whole words only. A word that narrows
// (dev, qa, pre-prod) says more than "production", so production is what remains when nothing else is said; of several
// that narrow, the first counts.
func InferEnvironmentType(name string) EnvironmentType {
	inferred := OtherType
	previous := ""
	for token := range strings.FieldsFuncSeq(strings.ToLower(name), isSeparator) {
		found, known := typeOfToken[token]
		if found == ProductionType {
			found, known = qualifyProduction(previous)
		}
		switch {
		case known && found != ProductionType:
			return found
		case known:
			inferred = ProductionType
		}
		previous = token
	}
	return inferred
}

// qualifyProduction looks at the word before "production": pre-production is staging, and non-production says nothing.
func qualifyProduction(previous string) (EnvironmentType, bool) {
	switch previous {
	case "pre":
		return StagingType, true
	case "non", "not", "no":
		return OtherType, false
	default:
		return ProductionType, true
	}
}

func isSeparator(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r)
}
