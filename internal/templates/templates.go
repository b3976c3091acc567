package templates

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
	"github.com/versioner-io/versioner/internal/quota"
	"github.com/versioner-io/versioner/internal/urltemplate"
)

// Templates changes deployment templates.
type Templates struct {
	DB  *postgres.DB
	Max int // in an account; 0 is unlimited
}

// NewTemplate is a template to create.
type NewTemplate struct {
	ProductID         uuid.UUID
	Name, URLTemplate string
	EnvironmentIDs    []uuid.UUID // each once
	Enabled           bool
}

// TemplatePatch is what to change; nil stays.
type TemplatePatch struct {
	Name, URLTemplate *string
	EnvironmentIDs    []uuid.UUID // each once
	Enabled           *bool
}

// TemplateProblems returns the problems of a body that describes a template, beside those that its schema expresses.
func TemplateProblems(body any) (fields []apperr.Field) {
	members, _ := body.(map[string]any)
	if text, isText := members["url_template"].(string); isText && text != "" {
		_, problems := urltemplate.Parse(text)
		fields = toFields(problems, "body", "url_template")
	}
	return fields
}

func toFields(problems []urltemplate.Problem, loc ...any) (fields []apperr.Field) {
	for _, problem := range problems {
		fields = append(fields, apperr.Field{Loc: loc, Msg: problem.Message, Type: problem.Type})
	}
	return fields
}

// Create makes a template of a product that has no other one for any of the environments.
func (t Templates) Create(ctx context.Context, accountID uuid.UUID, template NewTemplate, now time.Time) (row dbgen.DeploymentTemplateDetail, err error) {
	err = t.DB.WithTx(ctx, func(db *postgres.DB) error {
		if _, err := db.GetProduct(ctx, dbgen.GetProductParams{AccountID: accountID, ID: template.ProductID}); err != nil {
			return postgres.Classify(err)
		}
		row = dbgen.DeploymentTemplateDetail{AccountID: accountID, ID: uuid.Must(uuid.NewV7()), ProductID: template.ProductID}
		err := db.CreateDeploymentTemplate(ctx, dbgen.CreateDeploymentTemplateParams{
			AccountID: accountID, ID: row.ID, ProductID: template.ProductID, Name: strings.TrimSpace(template.Name), URLTemplate: template.URLTemplate,
			Enabled: template.Enabled, Now: now,
		})
		if err != nil {
			return postgres.Classify(err)
		}
		if err := setEnvironments(ctx, db, row, template.EnvironmentIDs); err != nil {
			return err
		}
		if err := quota.Check(ctx, db, accountID, quota.DeploymentTemplates, t.Max); err != nil {
			return err
		}
		if row, err = db.GetDeploymentTemplate(ctx, dbgen.GetDeploymentTemplateParams{AccountID: accountID, ID: row.ID}); err != nil {
			return postgres.Classify(err)
		}
		return audit.Record(ctx, db, templateChange(row, "deployment_template.create", audit.Compare(nil, templateMembers(row))))
	})
	return row, err
}

// Update changes a template.
func (t Templates) Update(ctx context.Context, target etag.Ref, patch TemplatePatch, now time.Time) (row dbgen.DeploymentTemplateDetail, err error) {
	err = t.DB.WithTx(ctx, func(db *postgres.DB) error {
		former, err := lockTemplate(ctx, db, target)
		if err != nil {
			return err
		}
		row = former
		if patch.EnvironmentIDs != nil {
			if err := setEnvironments(ctx, db, former, patch.EnvironmentIDs); err != nil {
				return err
			}
			if row, err = db.GetDeploymentTemplate(ctx, dbgen.GetDeploymentTemplateParams{AccountID: target.AccountID, ID: target.ID}); err != nil {
				return postgres.Classify(err)
			}
		}
		row.Name = strings.TrimSpace(ptr.Or(patch.Name, row.Name))
		row.URLTemplate, row.Enabled = ptr.Or(patch.URLTemplate, row.URLTemplate), ptr.Or(patch.Enabled, row.Enabled)
		changed := audit.Compare(templateMembers(former), templateMembers(row))
		if len(changed) == 0 {
			return nil
		}
		err = db.UpdateDeploymentTemplate(ctx, dbgen.UpdateDeploymentTemplateParams{
			AccountID: target.AccountID, ID: target.ID, Name: row.Name, URLTemplate: row.URLTemplate, Enabled: row.Enabled, Now: now,
		})
		if err != nil {
			return postgres.Classify(err)
		}
		if row, err = db.GetDeploymentTemplate(ctx, dbgen.GetDeploymentTemplateParams{AccountID: target.AccountID, ID: target.ID}); err != nil {
			return postgres.Classify(err)
		}
		return audit.Record(ctx, db, templateChange(row, "deployment_template.update", changed))
	})
	return row, err
}

// Delete deletes a template.
func (t Templates) Delete(ctx context.Context, target etag.Ref) error {
	return t.DB.WithTx(ctx, func(db *postgres.DB) error {
		row, err := lockTemplate(ctx, db, target)
		if err != nil {
			return err
		}
		err = db.KeepDeploymentTemplateEnvironments(ctx, dbgen.KeepDeploymentTemplateEnvironmentsParams{
			AccountID: target.AccountID, TemplateID: target.ID, EnvironmentIDs: []uuid.UUID{},
		})
		if err == nil {
			err = db.DeleteDeploymentTemplate(ctx, dbgen.DeleteDeploymentTemplateParams{AccountID: target.AccountID, ID: target.ID})
		}
		if err != nil {
			return postgres.Classify(err)
		}
		return audit.Record(ctx, db, templateChange(row, "deployment_template.delete", audit.Compare(templateMembers(row), nil)))
	})
}

// setEnvironments replaces the environments of a template. All must exist, and none may have another template of the product.
func setEnvironments(ctx context.Context, db *postgres.DB, template dbgen.DeploymentTemplateDetail, ids []uuid.UUID) error {
	environments, err := db.ListEnvironmentsOfIDs(ctx, dbgen.ListEnvironmentsOfIDsParams{AccountID: template.AccountID, EnvironmentIDs: ids})
	if err != nil {
		return postgres.Classify(err)
	}
	if len(environments) < len(ids) {
		return apperr.New(apperr.NotFound, "Not found")
	}
	err = db.KeepDeploymentTemplateEnvironments(ctx, dbgen.KeepDeploymentTemplateEnvironmentsParams{
		AccountID: template.AccountID, TemplateID: template.ID, EnvironmentIDs: ids,
	})
	if err != nil {
		return postgres.Classify(err)
	}
	missing := slices.DeleteFunc(slices.Clone(ids), func(id uuid.UUID) bool { return slices.Contains(template.EnvironmentIDs, id) })
	added, err := db.AddDeploymentTemplateEnvironments(ctx, dbgen.AddDeploymentTemplateEnvironmentsParams{
		AccountID: template.AccountID, ProductID: template.ProductID, TemplateID: template.ID, EnvironmentIDs: missing,
	})
	if err != nil {
		return postgres.Classify(err)
	}
	var taken []string
	for _, environment := range environments {
		if slices.Contains(missing, environment.ID) && !slices.Contains(added, environment.ID) {
			taken = append(taken, environment.Name)
		}
	}
	if len(taken) > 0 {
		return apperr.New(apperr.Conflict, "Another template of the product has these environments: "+strings.Join(taken, ", "))
	}
	return nil
}

// lockTemplate locks a template against other changes and returns it.
func lockTemplate(ctx context.Context, db *postgres.DB, target etag.Ref) (row dbgen.DeploymentTemplateDetail, err error) {
	if err := db.LockDeploymentTemplate(ctx, dbgen.LockDeploymentTemplateParams{AccountID: target.AccountID, ID: target.ID}); err != nil {
		return row, postgres.Classify(err)
	}
	if row, err = db.GetDeploymentTemplate(ctx, dbgen.GetDeploymentTemplateParams{AccountID: target.AccountID, ID: target.ID}); err != nil {
		return row, postgres.Classify(err)
	}
	return row, target.Verify(row.Revision)
}

// templateMembers returns the members that the audit log has the values of.
func templateMembers(row dbgen.DeploymentTemplateDetail) []audit.Member {
	return []audit.Member{
		{Name: "name", Value: row.Name},
		{Name: "product_id", Value: row.ProductID},
		{Name: "url_template", Value: row.URLTemplate},
		{Name: "environment_ids", Value: row.EnvironmentIDs},
		{Name: "enabled", Value: row.Enabled},
	}
}

func templateChange(row dbgen.DeploymentTemplateDetail, action string, values []audit.Value) audit.Change {
	return audit.Change{AccountID: row.AccountID, Action: action, ObjectType: "deployment_template", ObjectID: row.ID, ObjectName: row.Name, Values: values}
}
