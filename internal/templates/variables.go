// Package templates implements deployment templates and their variables: the URLs of the pages on which users start deployments.
// internal/urltemplate renders them; this package stores them and loads the values.
package templates

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/quota"
	"github.com/versioner-io/versioner/internal/urltemplate"
)

// Variables changes variables.
type Variables struct {
	DB  *postgres.DB
	Max int // in an account; 0 is unlimited
}

// NewVariable is a variable to create.
type NewVariable struct {
	Key, Value string
	ProductID  *uuid.UUID // nil: for all products
}

// VariableProblems returns the problems of a body that describes a variable, beside those that its schema expresses.
func VariableProblems(body any) []apperr.Field {
	members, _ := body.(map[string]any)
	if key, _ := members["key"].(string); strings.HasPrefix(key, urltemplate.SystemPrefix) {
		return []apperr.Field{{Loc: []any{"body", "key"}, Msg: "must not begin with " + urltemplate.SystemPrefix + ": the server sets such variables", Type: "value_error.reserved"}}
	}
	return nil
}

// Create makes a variable whose key is free.
func (v Variables) Create(ctx context.Context, accountID uuid.UUID, variable NewVariable, now time.Time) (row dbgen.VariableDetail, err error) {
	err = v.DB.WithTx(ctx, func(db *postgres.DB) error {
		if variable.ProductID != nil {
			if _, err := db.GetProduct(ctx, dbgen.GetProductParams{AccountID: accountID, ID: *variable.ProductID}); err != nil {
				return postgres.Classify(err)
			}
		}
		id := uuid.Must(uuid.NewV7())
		created, err := db.CreateVariable(ctx, dbgen.CreateVariableParams{
			AccountID: accountID, ID: id, ProductID: variable.ProductID, Key: variable.Key, Value: variable.Value, Now: now,
		})
		if err != nil {
			return postgres.Classify(err)
		}
		if created == 0 {
			return apperr.New(apperr.Conflict, "Key already in use")
		}
		if err := quota.Check(ctx, db, accountID, quota.Variables, v.Max); err != nil {
			return err
		}
		if row, err = db.GetVariable(ctx, dbgen.GetVariableParams{AccountID: accountID, ID: id}); err != nil {
			return postgres.Classify(err)
		}
		return audit.Record(ctx, db, variableChange(row, "variable.create", audit.Compare(nil, variableMembers(row))))
	})
	return row, err
}

// Update changes the value of a variable; nil stays.
func (v Variables) Update(ctx context.Context, target etag.Ref, value *string, now time.Time) (row dbgen.VariableDetail, err error) {
	err = v.DB.WithTx(ctx, func(db *postgres.DB) error {
		if row, err = lockVariable(ctx, db, target); err != nil {
			return err
		}
		if value == nil || *value == row.Value {
			return nil
		}
		before := variableMembers(row)
		if err := db.UpdateVariable(ctx, dbgen.UpdateVariableParams{AccountID: target.AccountID, ID: target.ID, Value: *value, Now: now}); err != nil {
			return postgres.Classify(err)
		}
		if row, err = db.GetVariable(ctx, dbgen.GetVariableParams{AccountID: target.AccountID, ID: target.ID}); err != nil {
			return postgres.Classify(err)
		}
		return audit.Record(ctx, db, variableChange(row, "variable.update", audit.Compare(before, variableMembers(row))))
	})
	return row, err
}

// Delete deletes a variable.
func (v Variables) Delete(ctx context.Context, target etag.Ref) error {
	return v.DB.WithTx(ctx, func(db *postgres.DB) error {
		row, err := lockVariable(ctx, db, target)
		if err != nil {
			return err
		}
		if err := db.DeleteVariable(ctx, dbgen.DeleteVariableParams{AccountID: target.AccountID, ID: target.ID}); err != nil {
			return postgres.Classify(err)
		}
		return audit.Record(ctx, db, variableChange(row, "variable.delete", audit.Compare(variableMembers(row), nil)))
	})
}

// lockVariable locks a variable against other changes and returns it.
func lockVariable(ctx context.Context, db *postgres.DB, target etag.Ref) (row dbgen.VariableDetail, err error) {
	if err := db.LockVariable(ctx, dbgen.LockVariableParams{AccountID: target.AccountID, ID: target.ID}); err != nil {
		return row, postgres.Classify(err)
	}
	if row, err = db.GetVariable(ctx, dbgen.GetVariableParams{AccountID: target.AccountID, ID: target.ID}); err != nil {
		return row, postgres.Classify(err)
	}
	return row, target.Verify(row.Revision)
}

// variableMembers returns the members that the audit log has the values of.
func variableMembers(row dbgen.VariableDetail) []audit.Member {
	return []audit.Member{{Name: "product_id", Value: row.ProductID}, {Name: "key", Value: row.Key}, {Name: "value", Value: row.Value}}
}

func variableChange(row dbgen.VariableDetail, action string, values []audit.Value) audit.Change {
	return audit.Change{AccountID: row.AccountID, Action: action, ObjectType: "variable", ObjectID: row.ID, ObjectName: row.Key, Values: values}
}
