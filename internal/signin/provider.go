package signin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"golang.org/x/oauth2"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
)

// defaultScopes request an ID token with the user's name and address, and for a refresh token.
func defaultScopes() []string { return []string{"openid", "profile", "email", "offline_access"} }

// oauth returns the client of an issuer. The error is Unavailable when the issuer is not discovered.
func (f *Flow) oauth(ctx context.Context, issuer authn.Issuer) (*oauth2.Config, error) {
	endpoints, err := f.Tokens.Endpoints(ctx, issuer.URL)
	if err != nil {
		return nil, err
	}
	scopes := issuer.Scopes
	if len(scopes) == 0 {
		scopes = defaultScopes()
	}
	return &oauth2.Config{
		ClientID: issuer.ClientID, ClientSecret: issuer.ClientSecret, RedirectURL: f.PublicURL + callbackPath, Scopes: scopes,
		Endpoint: oauth2.Endpoint{AuthURL: endpoints.Authorization, TokenURL: endpoints.Token, AuthStyle: authStyle(issuer, endpoints)},
	}, nil
}

// authStyle never leaves the choice to attempts: a code is valid once. client_secret_basic is the default of OpenID Connect Discovery.
func authStyle(issuer authn.Issuer, endpoints authn.Endpoints) oauth2.AuthStyle {
	if issuer.ClientSecret != "" && (len(endpoints.TokenAuth) == 0 || slices.Contains(endpoints.TokenAuth, "client_secret_basic")) {
		return oauth2.AuthStyleInHeader
	}
	return oauth2.AuthStyleInParams
}

// exchange returns the tokens for an authorization code. The error is Unavailable when the provider cannot be reached.
func (f *Flow) exchange(ctx context.Context, issuer authn.Issuer, login login, code string) (*oauth2.Token, error) {
	config, err := f.oauth(ctx, issuer)
	if err != nil {
		return nil, err
	}
	token, err := config.Exchange(context.WithValue(ctx, oauth2.HTTPClient, f.client), code, oauth2.VerifierOption(login.Verifier))
	return token, describe(err)
}

// errRefused reports that a provider does not renew a session.
var errRefused = errors.New("the identity provider refuses to renew the session")

// describe classifies the error of a token endpoint, and leaves out the response's body, which may contain tokens.
func describe(err error) error {
	if err == nil {
		return nil
	}
	answer, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return apperr.Wrap(apperr.Unavailable, "The identity provider cannot be reached at the moment", err)
	}
	status := answer.Response.StatusCode
	summary := fmt.Errorf("the token endpoint answered %d %.100q", status, answer.ErrorCode)
	switch {
	case status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
		return apperr.Wrap(apperr.Unavailable, "The identity provider cannot be reached at the moment", summary)
	case answer.ErrorCode == "" || answer.ErrorCode == "invalid_client" || answer.ErrorCode == "temporarily_unavailable":
		return summary // a defect of the configuration or of the provider does not concern the user
	default:
		return errors.Join(errRefused, summary)
	}
}

// RefreshSession implements authn.Refresher. Concurrent requests of a session share one refresh, and so do servers.
func (f *Flow) RefreshSession(ctx context.Context, session dbgen.UserSession) error {
	refresh := f.refreshes.DoChan(session.ID.String(), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), providerTimeout)
		defer cancel()
		return nil, f.refresh(ctx, session)
	})
	select {
	case result := <-refresh:
		return result.Err
	case <-ctx.Done():
		return apperr.Wrap(apperr.Unavailable, "The session is not renewed yet", context.Cause(ctx))
	}
}

func (f *Flow) refresh(ctx context.Context, session dbgen.UserSession) error {
	refreshToken, err := f.Sessions.ClaimRefresh(ctx, session)
	if err != nil {
		if failure, ok := errors.AsType[*apperr.Error](err); ok {
			return ignoreNotFound(failure) // another server refreshes it
		}
		return f.end(ctx, session, err) // the key of the refresh token is gone
	}
	err = f.renew(ctx, session, refreshToken)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errRefused) || apperr.Is(err, apperr.Unauthenticated) || apperr.Is(err, apperr.Forbidden):
		return f.end(ctx, session, err)
	default: // the provider is away: the session lives to its expiry
		f.Logger.WarnContext(ctx, "session not refreshed, will retry", "issuer", session.Issuer, "error", err)
		return nil
	}
}

func ignoreNotFound(failure *apperr.Error) error {
	if failure.Code == apperr.NotFound || failure.Code == apperr.Unavailable {
		return nil // without a database that can be written, the session lives on
	}
	return failure
}

// end ends a session, which is then unknown to its next look-up.
func (f *Flow) end(ctx context.Context, session dbgen.UserSession, reason error) error {
	f.Logger.InfoContext(ctx, "session ended: not renewed by the identity provider", "session", session.ID, "issuer", session.Issuer, "error", reason)
	return f.Sessions.EndRefused(ctx, session)
}

// renew requests new tokens, and stores the user as a new ID token describes them. Providers need not return one.
func (f *Flow) renew(ctx context.Context, session dbgen.UserSession, refreshToken string) error {
	issuer, ok := f.issuers[session.Issuer]
	if !ok {
		return fmt.Errorf("%w: it is not configured any more", errRefused)
	}
	config, err := f.oauth(ctx, issuer)
	if err != nil {
		return err
	}
	source := config.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, f.client), &oauth2.Token{RefreshToken: refreshToken})
	tokens, err := source.Token()
	if err = describe(err); err != nil {
		return err
	}
	if err := f.Sessions.StoreRefresh(ctx, session, tokens.RefreshToken); err != nil {
		return err
	}
	idToken, ok := tokens.Extra("id_token").(string)
	if !ok || idToken == "" {
		return nil
	}
	identity, err := f.Tokens.VerifyIDToken(ctx, issuer.URL, idToken, "")
	if err != nil {
		return err
	}
	user, err := f.Tenants.Resolve(ctx, identity)
	if err != nil {
		return err
	}
	if user.UserID != session.UserID || user.AccountID != session.AccountID {
		return fmt.Errorf("%w: the ID token describes another user or organisation", errRefused)
	}
	f.Sessions.AnnounceUser(ctx, session.UserID)
	return f.Sessions.StoreIDToken(ctx, session, idToken)
}
