package httpapi

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/catalogue"
	"github.com/versioner-io/versioner/internal/etag"
	"github.com/versioner-io/versioner/internal/idempotency"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
	"github.com/versioner-io/versioner/internal/quota"
)

type catalogueHandlers struct {
	db          *postgres.TenantPool
	idempotency *idempotency.Store
	cursors     cursorCodec
	quotas      quota.Limits
}

// ifMatchRef identifies an object of the caller's account, and the revision that If-Match requires.
func ifMatchRef(ctx context.Context, id uuid.UUID, ifMatch *string) etag.Ref {
	return etag.Ref{AccountID: authn.PrincipalFrom(ctx).AccountID, ID: id, IfMatch: ptr.Or(ifMatch, "")}
}

func (h catalogueHandlers) ListProducts(ctx context.Context, req apigen.ListProductsRequestObject) (apigen.ListProductsResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	byName := ptr.Or(req.Params.Sort, apigen.SortOrderNewest) == apigen.SortOrderName
	items, next, err := paginate(ctx, h.db, h.cursors, page[dbgen.Product, apigen.Product]{
		scope: listScope{account: account, operation: "listProducts", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]dbgen.Product, error) {
			if byName {
				rows, err := db.ListProductsByName(ctx, dbgen.ListProductsByNameParams{
					AccountID: account, Q: req.Params.Q, AfterName: after.lastName(), AfterID: after.lastID(), RowLimit: limit,
				})
				return rows, postgres.Classify(err)
			}
			rows, err := db.ListProducts(ctx, dbgen.ListProductsParams{
				AccountID: account, Q: req.Params.Q, AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit,
			})
			return rows, postgres.Classify(err)
		},
		at:   func(row dbgen.Product) keyset { return positionOf(byName, row.Name, row.CreatedAt, row.ID) },
		item: toAPIProduct,
	})
	return apigen.ListProducts200JSONResponse{Items: items, NextCursor: next}, err
}

func (h catalogueHandlers) GetProduct(ctx context.Context, req apigen.GetProductRequestObject) (apigen.GetProductResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	row, err := h.db.Tenant(account).GetProduct(ctx, dbgen.GetProductParams{AccountID: account, ID: req.ID})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	return apigen.GetProduct200JSONResponse{Body: toAPIProduct(row), Headers: apigen.GetProduct200ResponseHeaders{ETag: etag.Of(row.Revision)}}, nil
}

func (h catalogueHandlers) CreateProduct(ctx context.Context, req apigen.CreateProductRequestObject) (apigen.CreateProductResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	return once(ctx, h.idempotency, h.db.Tenant(account), idempotentOperation{operation: "createProduct", key: req.Params.IdempotencyKey},
		apigen.CreateProductResponseObject.VisitCreateProductResponse, func(db *postgres.DB) (apigen.CreateProductResponseObject, error) {
			row, err := catalogue.Products{DB: db, Max: h.quotas.Products}.Create(ctx, account, req.Body.Name, ptr.Or(req.Body.Description, ""), fromNullable(req.Body.ExtraMetadata))
			if err != nil {
				return nil, err
			}
			return apigen.CreateProduct201JSONResponse{
				Body: toAPIProduct(row), Headers: apigen.CreateProduct201ResponseHeaders{ETag: etag.Of(row.Revision), Location: locationOf("/products/", row.ID)},
			}, nil
		})
}

func (h catalogueHandlers) UpdateProduct(ctx context.Context, req apigen.UpdateProductRequestObject) (apigen.UpdateProductResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	row, err := catalogue.Products{DB: h.db.Tenant(account), MaxNames: h.quotas.Names}.Update(ctx, ifMatchRef(ctx, req.ID, req.Params.IfMatch), catalogue.ProductPatch{
		Name: req.Body.Name, Description: patchText(req.Body.Description), ExtraMetadata: patchObject(req.Body.ExtraMetadata),
	})
	if err != nil {
		return nil, err
	}
	return apigen.UpdateProduct200JSONResponse{Body: toAPIProduct(row), Headers: apigen.UpdateProduct200ResponseHeaders{ETag: etag.Of(row.Revision)}}, nil
}

func (h catalogueHandlers) DeleteProduct(ctx context.Context, req apigen.DeleteProductRequestObject) (apigen.DeleteProductResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	return apigen.DeleteProduct204Response{}, catalogue.Products{DB: h.db.Tenant(account)}.Delete(ctx, ifMatchRef(ctx, req.ID, req.Params.IfMatch))
}

func (h catalogueHandlers) ListEnvironments(ctx context.Context, req apigen.ListEnvironmentsRequestObject) (apigen.ListEnvironmentsResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	byName := ptr.Or(req.Params.Sort, apigen.SortOrderNewest) == apigen.SortOrderName
	items, next, err := paginate(ctx, h.db, h.cursors, page[dbgen.Environment, apigen.Environment]{
		scope: listScope{account: account, operation: "listEnvironments", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]dbgen.Environment, error) {
			if byName {
				rows, err := db.ListEnvironmentsByName(ctx, dbgen.ListEnvironmentsByNameParams{
					AccountID: account, Q: req.Params.Q, Type: (*string)(req.Params.Type),
					AfterName: after.lastName(), AfterID: after.lastID(), RowLimit: limit,
				})
				return rows, postgres.Classify(err)
			}
			rows, err := db.ListEnvironments(ctx, dbgen.ListEnvironmentsParams{
				AccountID: account, Q: req.Params.Q, Type: (*string)(req.Params.Type),
				AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit,
			})
			return rows, postgres.Classify(err)
		},
		at:   func(row dbgen.Environment) keyset { return positionOf(byName, row.Name, row.CreatedAt, row.ID) },
		item: toAPIEnvironment,
	})
	return apigen.ListEnvironments200JSONResponse{Items: items, NextCursor: next}, err
}

func (h catalogueHandlers) GetEnvironment(ctx context.Context, req apigen.GetEnvironmentRequestObject) (apigen.GetEnvironmentResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	row, err := h.db.Tenant(account).GetEnvironment(ctx, dbgen.GetEnvironmentParams{AccountID: account, ID: req.ID})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	return apigen.GetEnvironment200JSONResponse{Body: toAPIEnvironment(row), Headers: apigen.GetEnvironment200ResponseHeaders{ETag: etag.Of(row.Revision)}}, nil
}

func (h catalogueHandlers) CreateEnvironment(ctx context.Context, req apigen.CreateEnvironmentRequestObject) (apigen.CreateEnvironmentResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	return once(ctx, h.idempotency, h.db.Tenant(account), idempotentOperation{operation: "createEnvironment", key: req.Params.IdempotencyKey},
		apigen.CreateEnvironmentResponseObject.VisitCreateEnvironmentResponse, func(db *postgres.DB) (apigen.CreateEnvironmentResponseObject, error) {
			row, err := catalogue.Environments{DB: db, Max: h.quotas.Environments}.Create(ctx, account, req.Body.Name, (*string)(req.Body.Type), ptr.Or(req.Body.Description, ""), fromNullable(req.Body.Metadata))
			if err != nil {
				return nil, err
			}
			return apigen.CreateEnvironment201JSONResponse{
				Body: toAPIEnvironment(row), Headers: apigen.CreateEnvironment201ResponseHeaders{ETag: etag.Of(row.Revision), Location: locationOf("/environments/", row.ID)},
			}, nil
		})
}

func (h catalogueHandlers) UpdateEnvironment(ctx context.Context, req apigen.UpdateEnvironmentRequestObject) (apigen.UpdateEnvironmentResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	row, err := catalogue.Environments{DB: h.db.Tenant(account), MaxNames: h.quotas.Names}.Update(ctx, ifMatchRef(ctx, req.ID, req.Params.IfMatch), catalogue.EnvironmentPatch{
		Name: req.Body.Name, Type: (*string)(req.Body.Type), Description: patchText(req.Body.Description), Metadata: patchObject(req.Body.Metadata),
	})
	if err != nil {
		return nil, err
	}
	return apigen.UpdateEnvironment200JSONResponse{Body: toAPIEnvironment(row), Headers: apigen.UpdateEnvironment200ResponseHeaders{ETag: etag.Of(row.Revision)}}, nil
}

func (h catalogueHandlers) DeleteEnvironment(ctx context.Context, req apigen.DeleteEnvironmentRequestObject) (apigen.DeleteEnvironmentResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	return apigen.DeleteEnvironment204Response{}, catalogue.Environments{DB: h.db.Tenant(account)}.Delete(ctx, ifMatchRef(ctx, req.ID, req.Params.IfMatch))
}

func (h catalogueHandlers) ListVersions(ctx context.Context, req apigen.ListVersionsRequestObject) (apigen.ListVersionsResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	names, err := resolveNames(ctx, h.db.Tenant(account), account, req.Params.Product, nil)
	if err != nil {
		return nil, err
	}
	items, next, err := paginate(ctx, h.db, h.cursors, page[dbgen.VersionDetail, apigen.Version]{
		scope: listScope{account: account, operation: "listVersions", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]dbgen.VersionDetail, error) {
			if names.matchNothing {
				return nil, nil
			}
			return listVersions(ctx, db, req.Params.Q, after, dbgen.ListVersionsParams{
				AccountID: account, ProductID: names.product, Commit: normalizeSHA(req.Params.SCMSHA), RowLimit: limit,
			})
		},
		at: func(row dbgen.VersionDetail) keyset {
			return positionOf(req.Params.Q != nil, row.Version, row.CreatedAt, row.ID)
		},
		item: toAPIVersion,
	})
	return apigen.ListVersions200JSONResponse{Items: items, NextCursor: next}, err
}

func (h catalogueHandlers) GetVersion(ctx context.Context, req apigen.GetVersionRequestObject) (apigen.GetVersionResponseObject, error) {
	account := authn.PrincipalFrom(ctx).AccountID
	row, err := h.db.Tenant(account).GetVersion(ctx, dbgen.GetVersionParams{AccountID: account, ID: req.ID})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	return apigen.GetVersion200JSONResponse(toAPIVersion(row)), nil
}

// positionOf is the position of an object in a list by name, or by age.
func positionOf(byName bool, name string, createdAt time.Time, id uuid.UUID) keyset {
	if byName {
		return keyset{name: name, id: id}
	}
	return keyset{at: createdAt, id: id}
}

// listVersions reads a page of the versions, or of those that begin with a text.
func listVersions(ctx context.Context, db *postgres.DB, q *string, after *keyset, params dbgen.ListVersionsParams) ([]dbgen.VersionDetail, error) {
	if q != nil {
		rows, err := db.SearchVersions(ctx, dbgen.SearchVersionsParams{
			AccountID: params.AccountID, Q: *q, ProductID: params.ProductID, Commit: params.Commit, AfterName: after.lastName(), AfterID: after.lastID(), RowLimit: params.RowLimit,
		})
		return rows, postgres.Classify(err)
	}
	params.AfterAt, params.AfterID = after.time(), after.lastID()
	rows, err := db.ListVersions(ctx, params)
	return rows, postgres.Classify(err)
}

func toAPIProduct(row dbgen.Product) apigen.Product {
	return apigen.Product{
		ID: row.ID, Name: row.Name, Description: row.Description, ExtraMetadata: row.ExtraMetadata,
		CreatedAt: row.CreatedAt.UTC(), UpdatedAt: row.UpdatedAt.UTC(),
	}
}

func toAPIEnvironment(row dbgen.Environment) apigen.Environment {
	return apigen.Environment{
		ID: row.ID, Name: row.Name, Type: apigen.EnvironmentType(row.Type), Description: row.Description,
		Metadata: row.Metadata, ExtraMetadata: row.Metadata, CreatedAt: row.CreatedAt.UTC(), UpdatedAt: row.UpdatedAt.UTC(),
	}
}

func toAPIVersion(row dbgen.VersionDetail) apigen.Version {
	return apigen.Version{
		ID: row.ID, ProductID: row.ProductID, ProductName: row.ProductName, Version: row.Version,
		SCMSHA: toNullable(row.SCMSHA), BuildID: toNullable(row.BuildID), BuildStatus: toNullable(row.BuildStatus), BuildURL: toNullable(row.BuildURL),
		CreatedAt: row.CreatedAt.UTC(),
	}
}
