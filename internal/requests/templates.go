package requests

import (
	"context"
	"encoding/json"
	"fmt"
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
)

// maxTemplates is how many templates an account may have.
const maxTemplates = 100

// Templates changes templates of deployment requests.
type Templates struct{ DB *postgres.DB }

// Template is what requests are copied from; as a change, what is nil stays.
type Template struct {
	Name, Description *string
	EnvironmentIDs    *[]uuid.UUID
	Approvals         *[]Slot
	Steps             *[]Step
	Gate              *bool
}

// TemplateSlots returns the slots of a stored template.
func TemplateSlots(row dbgen.DeploymentRequestTemplate) (slots []Slot, err error) {
	if err := json.Unmarshal(row.Approvals, &slots); err != nil {
		return nil, fmt.Errorf("decode the slots of template %s: %w", row.ID, err)
	}
	return slots, nil
}

// TemplateSteps returns the steps of a stored template.
func TemplateSteps(row dbgen.DeploymentRequestTemplate) (steps []Step, err error) {
	if err := json.Unmarshal(row.Steps, &steps); err != nil {
		return nil, fmt.Errorf("decode the steps of template %s: %w", row.ID, err)
	}
	return steps, nil
}

// Copy returns a request with what a template has and the request does not: environments that do not exist any more are left out.
func (t Templates) Copy(ctx context.Context, accountID, templateID uuid.UUID) (request New, err error) {
	row, err := t.DB.GetDeploymentRequestTemplate(ctx, dbgen.GetDeploymentRequestTemplateParams{AccountID: accountID, ID: templateID})
	if err != nil {
		return request, postgres.Classify(err)
	}
	existing, err := existingEnvironments(ctx, t.DB, accountID)
	if err != nil {
		return request, err
	}
	request = New{Description: row.Description, Gate: row.Gate}
	request.EnvironmentIDs = slices.DeleteFunc(row.EnvironmentIDs, func(id uuid.UUID) bool { return !existing[id] })
	if request.Approvals, err = TemplateSlots(row); err != nil {
		return request, err
	}
	request.Steps, err = TemplateSteps(row)
	return request, err
}

// Create makes a template whose name is free.
func (t Templates) Create(ctx context.Context, accountID uuid.UUID, template Template, now time.Time) (row dbgen.DeploymentRequestTemplate, err error) {
	err = t.DB.WithTx(ctx, func(db *postgres.DB) error {
		row = dbgen.DeploymentRequestTemplate{AccountID: accountID, ID: uuid.Must(uuid.NewV7()), Gate: true, Approvals: json.RawMessage("[]"), Steps: json.RawMessage("[]")}
		if err := template.applyTo(ctx, db, &row); err != nil {
			return err
		}
		row, err = db.CreateDeploymentRequestTemplate(ctx, dbgen.CreateDeploymentRequestTemplateParams{
			AccountID: accountID, ID: row.ID, Name: row.Name, Description: row.Description, EnvironmentIDs: row.EnvironmentIDs,
			Approvals: row.Approvals, Steps: row.Steps, Gate: row.Gate, Now: now,
		})
		if err = postgres.Classify(err); apperr.Is(err, apperr.NotFound) { // no row
			return errNameTaken()
		} else if err != nil {
			return err
		}
		if err := quota.Check(ctx, db, accountID, quota.DeploymentRequestTemplates, maxTemplates); err != nil {
			return err
		}
		return audit.Record(ctx, db, templateChange(row, "create", audit.Compare(nil, templateMembers(row))))
	})
	return row, err
}

func errNameTaken() error {
	return apperr.New(apperr.Conflict, "A template with this name already exists")
}

// applyTo changes a template, and returns its problems.
func (t *Template) applyTo(ctx context.Context, db *postgres.DB, row *dbgen.DeploymentRequestTemplate) (err error) {
	row.Name = strings.TrimSpace(ptr.Or(t.Name, row.Name))
	row.Description, row.Gate = ptr.Or(t.Description, row.Description), ptr.Or(t.Gate, row.Gate)
	row.EnvironmentIDs = append([]uuid.UUID{}, ptr.Or(t.EnvironmentIDs, row.EnvironmentIDs)...)
	if t.EnvironmentIDs != nil {
		existing, err := existingEnvironments(ctx, db, row.AccountID)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(*t.EnvironmentIDs, func(id uuid.UUID) bool { return !existing[id] }) {
			return errNotFound()
		}
	}
	if t.Approvals != nil {
		prepareSlots(*t.Approvals)
		if row.Approvals, err = json.Marshal(*t.Approvals); err != nil {
			return fmt.Errorf("encode slots: %w", err)
		}
	}
	if t.Steps != nil {
		for i := range *t.Steps {
			(*t.Steps)[i].prepare(int64(i))
		}
		if row.Steps, err = json.Marshal(*t.Steps); err != nil {
			return fmt.Errorf("encode steps: %w", err)
		}
	}
	return nil
}

// Update changes a template.
func (t Templates) Update(ctx context.Context, target etag.Ref, patch Template, now time.Time) (row dbgen.DeploymentRequestTemplate, err error) {
	err = t.DB.WithTx(ctx, func(db *postgres.DB) error {
		if row, err = lockTemplate(ctx, db, target); err != nil {
			return err
		}
		before := templateMembers(row)
		if err := patch.applyTo(ctx, db, &row); err != nil {
			return err
		}
		changed := audit.Compare(before, templateMembers(row))
		if len(changed) == 0 {
			return nil
		}
		row, err = db.UpdateDeploymentRequestTemplate(ctx, dbgen.UpdateDeploymentRequestTemplateParams{
			AccountID: target.AccountID, ID: target.ID, Name: row.Name, Description: row.Description, EnvironmentIDs: row.EnvironmentIDs,
			Approvals: row.Approvals, Steps: row.Steps, Gate: row.Gate, Now: now,
		})
		if postgres.IsConstraintViolation(err) {
			return errNameTaken()
		} else if err != nil {
			return postgres.Classify(err)
		}
		return audit.Record(ctx, db, templateChange(row, "update", changed))
	})
	return row, err
}

// Delete removes a template. Requests that were copied from it stay.
func (t Templates) Delete(ctx context.Context, target etag.Ref) error {
	return t.DB.WithTx(ctx, func(db *postgres.DB) error {
		row, err := lockTemplate(ctx, db, target)
		if err != nil {
			return err
		}
		if err := db.DeleteDeploymentRequestTemplate(ctx, dbgen.DeleteDeploymentRequestTemplateParams{AccountID: target.AccountID, ID: target.ID}); err != nil {
			return postgres.Classify(err)
		}
		return audit.Record(ctx, db, templateChange(row, "delete", audit.Compare(templateMembers(row), nil)))
	})
}

func lockTemplate(ctx context.Context, db *postgres.DB, target etag.Ref) (dbgen.DeploymentRequestTemplate, error) {
	row, err := db.GetDeploymentRequestTemplateForUpdate(ctx, dbgen.GetDeploymentRequestTemplateForUpdateParams{AccountID: target.AccountID, ID: target.ID})
	if err != nil {
		return row, postgres.Classify(err)
	}
	return row, target.Verify(row.Revision)
}

// templateMembers returns the members that the audit log has the values of.
func templateMembers(row dbgen.DeploymentRequestTemplate) []audit.Member {
	return []audit.Member{
		{Name: "name", Value: row.Name},
		{Name: "description", Value: row.Description},
		{Name: "environment_ids", Value: row.EnvironmentIDs},
		{Name: "approvals", Value: row.Approvals},
		{Name: "steps", Value: row.Steps},
		{Name: "gate", Value: row.Gate},
	}
}

func templateChange(row dbgen.DeploymentRequestTemplate, verb string, values []audit.Value) audit.Change {
	return audit.Change{
		AccountID: row.AccountID, Action: "deployment_request_template." + verb, ObjectType: "deployment_request_template", ObjectID: row.ID, ObjectName: row.Name, Values: values,
	}
}
