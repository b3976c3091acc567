package templates

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/urltemplate"
)

// Subject is what a template is rendered for.
type Subject struct{ VersionID, EnvironmentID uuid.UUID }

// Render returns the URL of a template for a version of its product and one of its environments.
func Render(ctx context.Context, db *postgres.DB, accountID, templateID uuid.UUID, subject Subject) (string, error) {
	row, err := db.GetDeploymentTemplate(ctx, dbgen.GetDeploymentTemplateParams{AccountID: accountID, ID: templateID})
	if err != nil {
		return "", postgres.Classify(err)
	}
	version, err := db.GetVersion(ctx, dbgen.GetVersionParams{AccountID: accountID, ID: subject.VersionID})
	if err != nil {
		return "", postgres.Classify(err)
	}
	environment, err := db.GetEnvironment(ctx, dbgen.GetEnvironmentParams{AccountID: accountID, ID: subject.EnvironmentID})
	if err != nil {
		return "", postgres.Classify(err)
	}
	if err := checkSubject(row, version, environment); err != nil {
		return "", err
	}
	template, problems := urltemplate.Parse(row.URLTemplate)
	if len(problems) > 0 {
		return "", fmt.Errorf("parse the stored template %s: %v", row.ID, problems)
	}
	values, err := loadValues(ctx, db, version, environment, template.Names())
	if err != nil {
		return "", err
	}
	url, problems := template.Render(values)
	if len(problems) > 0 {
		return "", apperr.NewInvalid(toFields(problems, "body")...)
	}
	return url, nil
}

// checkSubject returns an error for a version of another product, and for an environment that the template is not for.
func checkSubject(template dbgen.DeploymentTemplateDetail, version dbgen.VersionDetail, environment dbgen.Environment) error {
	var fields []apperr.Field
	if version.ProductID != template.ProductID {
		fields = append(fields, apperr.Field{Loc: []any{"body", "version_id"}, Msg: "must be a version of the template's product", Type: "value_error.product"})
	}
	if !slices.Contains(template.EnvironmentIDs, environment.ID) {
		fields = append(fields, apperr.Field{Loc: []any{"body", "environment_id"}, Msg: "must be one of the template's environments", Type: "value_error.environment"})
	}
	if len(fields) > 0 {
		return apperr.NewInvalid(fields...)
	}
	return nil
}

// loadValues returns the values of the variables that exist.
func loadValues(ctx context.Context, db *postgres.DB, version dbgen.VersionDetail, environment dbgen.Environment, names []string) (map[string]string, error) {
	variables, err := db.ListVariablesOfProduct(ctx, dbgen.ListVariablesOfProductParams{AccountID: version.AccountID, ProductID: version.ProductID, Keys: names})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	var buildNumber *string
	if version.BuildID != nil && slices.Contains(names, urltemplate.BuildNumber) {
		build, err := db.GetBuild(ctx, dbgen.GetBuildParams{AccountID: version.AccountID, ID: *version.BuildID})
		if err != nil {
			return nil, postgres.Classify(err)
		}
		buildNumber = build.BuildNumber
	}
	return valuesOf(variables, systemValues(version, environment, buildNumber)), nil
}

// valuesOf returns the values of variables by name: one of the product prevails over one of all products.
func valuesOf(variables []dbgen.ListVariablesOfProductRow, system map[string]string) map[string]string {
	values := make(map[string]string)
	for _, variable := range variables {
		if _, isSet := values[variable.Key]; !isSet || variable.ProductID != nil {
			values[variable.Key] = variable.Value
		}
	}
	maps.Copy(values, system)
	return values
}

// systemValues returns the values of the variables that the server sets. Those that are not known yet are missing.
func systemValues(version dbgen.VersionDetail, environment dbgen.Environment, buildNumber *string) map[string]string {
	values := map[string]string{
		urltemplate.Version: version.Version, urltemplate.ProductID: version.ProductID.String(), urltemplate.ProductName: version.ProductName,
		urltemplate.EnvironmentID: environment.ID.String(), urltemplate.EnvironmentName: environment.Name,
	}
	for name, value := range map[string]*string{urltemplate.SHA: version.SCMSHA, urltemplate.BuildNumber: buildNumber} {
		if value != nil {
			values[name] = *value
		}
	}
	return values
}
