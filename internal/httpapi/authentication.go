package httpapi

import (
	"context"
	"net/http"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/authz"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/sessions"
	"github.com/versioner-io/versioner/internal/signin"
)

type authenticationHandlers struct {
	db       *postgres.TenantPool
	cursors  cursorCodec
	flow     *signin.Flow
	sessions *sessions.Sessions
}

func (h authenticationHandlers) ListSignInProviders(ctx context.Context, _ apigen.ListSignInProvidersRequestObject) (apigen.ListSignInProvidersResponseObject, error) {
	providers := []apigen.SignInProvider{}
	for _, provider := range h.flow.Providers(ctx) {
		providers = append(providers, toAPISignInProvider(provider))
	}
	return apigen.ListSignInProviders200JSONResponse{Providers: providers}, nil
}

func (h authenticationHandlers) StartSignIn(ctx context.Context, req apigen.StartSignInRequestObject) (apigen.StartSignInResponseObject, error) {
	return redirect(h.flow.Start(ctx, textOf(req.Params.Issuer), textOf(req.Params.ReturnTo))), nil
}

func (h authenticationHandlers) CompleteSignIn(ctx context.Context, req apigen.CompleteSignInRequestObject) (apigen.CompleteSignInResponseObject, error) {
	return redirect(h.flow.Complete(ctx, signin.Callback{
		Code: textOf(req.Params.Code), State: textOf(req.Params.State), Issuer: textOf(req.Params.Iss), Error: textOf(req.Params.Error),
	})), nil
}

func (h authenticationHandlers) GetSession(ctx context.Context, _ apigen.GetSessionRequestObject) (apigen.GetSessionResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	row, err := h.db.Tenant(principal.AccountID).GetUser(ctx, dbgen.GetUserParams{AccountID: principal.AccountID, ID: principal.UserID})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	user := toAPIUser(row)
	current := apigen.GetSession200JSONResponse{
		User: user, Account: apigen.AccountSummary{ID: principal.AccountID, Slug: principal.AccountSlug}, Role: user.Role,
		Permissions: authz.Permissions(string(user.Role)), SessionID: nullable.NewNullNullable[uuid.UUID](),
	}
	if principal.UserSessionID != uuid.Nil {
		current.SessionID = nullable.NewNullableWithValue(principal.UserSessionID)
	}
	return current, nil
}

func (h authenticationHandlers) SignOut(ctx context.Context, _ apigen.SignOutRequestObject) (apigen.SignOutResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	idToken := ""
	if principal.UserSessionID != uuid.Nil {
		ended, err := h.sessions.End(ctx, h.db.Tenant(principal.AccountID), principal.AccountID, principal.UserID, principal.UserSessionID)
		if err != nil {
			return nil, err
		}
		idToken = h.sessions.IDToken(ended)
	}
	cookie := h.flow.Cookies.EndSession().String()
	return apigen.SignOut200JSONResponse{
		Body:    apigen.SignOut{RedirectURL: h.flow.SignOutURL(ctx, principal.Issuer, idToken)},
		Headers: apigen.SignOut200ResponseHeaders{SetCookie: &cookie},
	}, nil
}

func (h authenticationHandlers) ListSessions(ctx context.Context, req apigen.ListSessionsRequestObject) (apigen.ListSessionsResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	items, next, err := paginate(ctx, h.db, h.cursors, page[dbgen.UserSession, apigen.Session]{
		scope: listScope{account: principal.AccountID, operation: "listSessions", request: req}, limit: req.Params.Limit, cursor: req.Params.Cursor,
		rows: func(db *postgres.DB, after *keyset, limit int32) ([]dbgen.UserSession, error) {
			rows, err := db.ListSessions(ctx, dbgen.ListSessionsParams{
				AccountID: principal.AccountID, UserID: principal.UserID, Now: h.flow.Now(), AfterAt: after.time(), AfterID: after.lastID(), RowLimit: limit,
			})
			return rows, postgres.Classify(err)
		},
		at:   func(row dbgen.UserSession) keyset { return keyset{at: row.CreatedAt, id: row.ID} },
		item: func(row dbgen.UserSession) apigen.Session { return toAPISession(row, principal.UserSessionID) },
	})
	return apigen.ListSessions200JSONResponse{Items: items, NextCursor: next}, err
}

func (h authenticationHandlers) EndSession(ctx context.Context, req apigen.EndSessionRequestObject) (apigen.EndSessionResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	_, err := h.sessions.End(ctx, h.db.Tenant(principal.AccountID), principal.AccountID, principal.UserID, req.ID)
	if err != nil {
		return nil, err
	}
	return apigen.EndSession204Response{}, nil
}

func (h authenticationHandlers) EndSessions(ctx context.Context, _ apigen.EndSessionsRequestObject) (apigen.EndSessionsResponseObject, error) {
	principal := authn.PrincipalFrom(ctx)
	if err := h.sessions.EndAll(ctx, h.db.Tenant(principal.AccountID), principal.AccountID, principal.UserID); err != nil {
		return nil, err
	}
	cookie := h.flow.Cookies.EndSession().String()
	return apigen.EndSessions204Response{Headers: apigen.EndSessions204ResponseHeaders{SetCookie: &cookie}}, nil
}

// redirect is a response that may set several cookies, which the generated one cannot.
type redirect signin.Redirect

func (r redirect) VisitStartSignInResponse(w http.ResponseWriter) error { return r.write(w) }

func (r redirect) VisitCompleteSignInResponse(w http.ResponseWriter) error { return r.write(w) }

func (r redirect) write(w http.ResponseWriter) error {
	for _, cookie := range r.Cookies {
		http.SetCookie(w, cookie)
	}
	w.Header().Set("Location", r.URL)
	w.WriteHeader(http.StatusFound)
	return nil
}

func textOf(parameter *string) string {
	if parameter == nil {
		return ""
	}
	return *parameter
}

func toAPISignInProvider(provider signin.Provider) apigen.SignInProvider {
	converted := apigen.SignInProvider{
		Type: apigen.SignInProviderType(provider.Type), Name: provider.Name, URL: provider.URL, Issuer: nullable.NewNullNullable[string](),
	}
	if provider.Issuer != "" {
		converted.Issuer = nullable.NewNullableWithValue(provider.Issuer)
	}
	return converted
}

func toAPISession(row dbgen.UserSession, current uuid.UUID) apigen.Session {
	return apigen.Session{
		ID: row.ID, Issuer: row.Issuer, UserAgent: row.UserAgent, RemoteIP: row.RemoteIP, IsCurrent: row.ID == current,
		CreatedAt: row.CreatedAt.UTC(), LastUsedAt: row.LastUsedAt.UTC(), ExpiresAt: row.IdleExpiresAt.UTC(),
	}
}
