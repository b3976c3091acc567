package catalogue

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/audit"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/governance"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
	"github.com/versioner-io/versioner/internal/quota"
)

// Products changes products.
type Products struct {
	DB       *postgres.DB
	Max      int // in an account; 0 is unlimited
	MaxNames int // of one, former ones included; 0 is unlimited
}

// ProductPatch is what to change; nil stays.
type ProductPatch struct {
	Name, Description *string
	ExtraMetadata     *json.RawMessage // a merge patch
}

// Create makes a product whose name is free.
func (p Products) Create(ctx context.Context, accountID uuid.UUID, name, description string, metadata *json.RawMessage) (product dbgen.Product, err error) {
	if name, err = normalizeName(name); err != nil {
		return product, err
	}
	err = p.DB.WithTx(ctx, func(db *postgres.DB) error {
		id := uuid.Must(uuid.NewV7())
		holder, err := db.ReserveProductName(ctx, dbgen.ReserveProductNameParams{AccountID: accountID, Name: name, ProductID: id})
		if err := checkNameReserved(id, holder, err); err != nil {
			return err
		}
		product, err = db.CreateProduct(ctx, dbgen.CreateProductParams{
			AccountID: accountID, ID: id, Name: name, Description: description, ExtraMetadata: metadataOrDefault(metadata), Now: time.Now(),
		})
		if err != nil {
			return postgres.Classify(err)
		}
		if err := quota.Check(ctx, db, accountID, quota.Products, p.Max); err != nil {
			return err
		}
		return audit.Record(ctx, db, productChange(product, "product.create", audit.Compare(nil, productMembers(product))))
	})
	return product, err
}

// Update changes a product. A former name goes on leading to it.
func (p Products) Update(ctx context.Context, target etag.Ref, patch ProductPatch) (product dbgen.Product, err error) {
	if patch.Name, err = normalizeNamePatch(patch.Name); err != nil {
		return product, err
	}
	err = p.DB.WithTx(ctx, func(db *postgres.DB) error {
		change := func() (err error) {
			product, err = p.update(ctx, db, target, patch)
			return err
		}
		if patch.Name == nil {
			return change()
		}
		return governance.ChangeScope(ctx, db, target.AccountID, change)
	})
	return product, err
}

func (p Products) update(ctx context.Context, db *postgres.DB, target etag.Ref, patch ProductPatch) (dbgen.Product, error) {
	product, err := p.lock(ctx, db, target)
	if err != nil {
		return product, err
	}
	before := productMembers(product)
	product.Name = ptr.Or(patch.Name, product.Name)
	product.Description = ptr.Or(patch.Description, product.Description)
	if err := mergePatch("extra_metadata", &product.ExtraMetadata, patch.ExtraMetadata); err != nil {
		return product, err
	}
	changed := audit.Compare(before, productMembers(product))
	if len(changed) == 0 {
		return product, nil
	}
	holder, err := db.ReserveProductName(ctx, dbgen.ReserveProductNameParams{AccountID: target.AccountID, Name: product.Name, ProductID: target.ID})
	if err := checkNameReserved(target.ID, holder, err); err != nil {
		return product, err
	}
	if err := p.checkNames(ctx, db, target); err != nil {
		return product, err
	}
	product, err = db.UpdateProduct(ctx, dbgen.UpdateProductParams{
		AccountID: target.AccountID, ID: target.ID, Name: product.Name, Description: product.Description, ExtraMetadata: product.ExtraMetadata, Now: time.Now(),
	})
	if err != nil {
		return product, postgres.Classify(err)
	}
	return product, audit.Record(ctx, db, productChange(product, "product.update", changed))
}

// Delete hides a product from every view and frees its names. Its state rows are locked first, in the order in which events lock.
func (p Products) Delete(ctx context.Context, target etag.Ref) error {
	return p.DB.WithTx(ctx, func(db *postgres.DB) error {
		if _, err := db.LockGovernanceRevisions(ctx, []uuid.UUID{target.AccountID}); err != nil { // or slots may be filled after they are deleted
			return postgres.Classify(err)
		}
		if _, err := db.LockEnvironmentStatesOfProduct(ctx, dbgen.LockEnvironmentStatesOfProductParams{AccountID: target.AccountID, ProductID: target.ID}); err != nil {
			return postgres.Classify(err)
		}
		product, err := db.GetProductForDelete(ctx, dbgen.GetProductForDeleteParams{AccountID: target.AccountID, ID: target.ID})
		if err != nil {
			return postgres.Classify(err)
		}
		if err := target.Verify(product.Revision); err != nil {
			return err
		}
		err = db.DeleteProduct(ctx, dbgen.DeleteProductParams{AccountID: target.AccountID, ID: target.ID, Now: time.Now()})
		if err == nil {
			err = db.DeleteProductNames(ctx, dbgen.DeleteProductNamesParams{AccountID: target.AccountID, ProductID: target.ID})
		}
		if err == nil {
			err = db.DeleteEnvironmentStatesOfProduct(ctx, dbgen.DeleteEnvironmentStatesOfProductParams{AccountID: target.AccountID, ProductID: target.ID})
		}
		if err == nil {
			err = db.DeleteSlotsOfProduct(ctx, dbgen.DeleteSlotsOfProductParams{AccountID: target.AccountID, ProductID: target.ID})
		}
		if err != nil {
			return postgres.Classify(err)
		}
		return audit.Record(ctx, db, productChange(product, "product.delete", audit.Compare(productMembers(product), nil)))
	})
}

func (p Products) lock(ctx context.Context, db *postgres.DB, target etag.Ref) (dbgen.Product, error) {
	product, err := db.GetProductForUpdate(ctx, dbgen.GetProductForUpdateParams{AccountID: target.AccountID, ID: target.ID})
	if err != nil {
		return product, postgres.Classify(err)
	}
	return product, target.Verify(product.Revision)
}

func (p Products) checkNames(ctx context.Context, db *postgres.DB, target etag.Ref) error {
	count, err := db.CountProductNames(ctx, dbgen.CountProductNamesParams{AccountID: target.AccountID, ProductID: target.ID})
	return checkNames("product", count, p.MaxNames, err)
}

// productMembers returns the members that the audit log has the values of.
func productMembers(product dbgen.Product) []audit.Member {
	return []audit.Member{
		{Name: "name", Value: product.Name}, {Name: "description", Value: product.Description}, {Name: "extra_metadata", Value: product.ExtraMetadata},
	}
}

func productChange(product dbgen.Product, action string, values []audit.Value) audit.Change {
	return audit.Change{AccountID: product.AccountID, Action: action, ObjectType: "product", ObjectID: product.ID, ObjectName: product.Name, Values: values}
}
