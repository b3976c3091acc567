package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/admission"
	"github.com/versioner-io/versioner/internal/apikeys"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/authz"
	"github.com/versioner-io/versioner/internal/bodycache"
	"github.com/versioner-io/versioner/internal/calendarfeeds"
	"github.com/versioner-io/versioner/internal/governance"
	"github.com/versioner-io/versioner/internal/httpapi/middleware"
	"github.com/versioner-io/versioner/internal/httpapi/validation"
	"github.com/versioner-io/versioner/internal/idempotency"
	"github.com/versioner-io/versioner/internal/notify"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/quota"
	"github.com/versioner-io/versioner/internal/ratelimit"
	"github.com/versioner-io/versioner/internal/requests"
	"github.com/versioner-io/versioner/internal/sessions"
	"github.com/versioner-io/versioner/internal/signin"
	"github.com/versioner-io/versioner/internal/telemetry"
	"github.com/versioner-io/versioner/internal/templates"
	docs "github.com/versioner-io/versioner/internal/web"
)

// Dependencies holds the dependencies and settings of the API.
type Dependencies struct {
	Logger   *slog.Logger
	Security apigen.SecurityHandler
	Recorder EventRecorder
	Rules    *governance.Cache // of the recorder
	Clock    func() time.Time  // decides what is in progress
	DB       *postgres.TenantPool
	Keys     *apikeys.Keys
	Channels notify.Channels
	Sessions *sessions.Sessions
	Feeds    *calendarfeeds.Feeds
	SignIn   *signin.Flow
	Limits   Limits
	Lists    ListCache
	Quotas   quota.Limits
	Origins  []string     // whose pages may call the API with the credentials of a user
	Proxies  []*net.IPNet // whose X-Forwarded headers are trusted
	Ready    func(ctx context.Context) error

	Telemetry telemetry.Telemetry
}

// Limits bound what callers may do; 0 is without a limit.
type Limits struct {
	Limiter           ratelimit.Limiter
	KeyPerMinute      int
	AccountPerHour    int
	UserPerMinute     int
	FailuresPerMinute int // invalid credentials from one network
	BodyBytes         int // bytes of bodies in memory; one account has half of it
}

// ListCache bounds the bodies of lists that requests share; the zero value is without sharing.
type ListCache struct {
	Bytes    int
	Lifetime time.Duration // how long a change of another server, or an event, may stay invisible
}

// api implements every operation: one struct for each tag of the document.
type api struct {
	eventHandlers
	catalogueHandlers
	deploymentHandlers
	buildHandlers
	releaseHandlers
	notificationHandlers
	deploymentRuleHandlers
	calendarFeedHandlers
	deploymentTemplateHandlers
	preflightHandlers
	approvalHandlers
	deploymentRequestHandlers
	deploymentRequestTemplateHandlers
	breakGlassHandlers
	apiKeyHandlers
	authenticationHandlers
	userHandlers
	auditLogHandlers
	healthHandlers
	docsHandlers
}

// New returns the handler of all requests. The error reports a defect of the specification or of the settings.
func New(ctx context.Context, deps Dependencies) (http.Handler, error) {
	document, err := loadDocument(ctx)
	if err != nil {
		return nil, err
	}
	operations, err := newOperationMiddlewares(document, deps)
	if err != nil {
		return nil, err
	}
	implementation, err := newAPI(document, deps)
	if err != nil {
		return nil, err
	}
	csrf, err := middleware.CSRF(deps.Origins)
	if err != nil {
		return nil, fmt.Errorf("read the trusted origins: %w", err)
	}
	pages, err := newDashboard(deps.Channels.PublicURL)
	if err != nil {
		return nil, err
	}
	literal := literalPaths(document)
	e := echo.New()
	e.HTTPErrorHandler = errorHandler(deps.Logger, deps.Telemetry.Metrics)
	e.IPExtractor = middleware.ClientIPExtractor(deps.Proxies)
	e.Pre(middleware.AssignRequestID, middleware.Measure(deps.Telemetry.Metrics), middleware.AccessLog(deps.Logger), middleware.Recover(deps.Logger), middleware.SecurityHeaders(deps.Proxies),
		middleware.CorrectAllow(literal), middleware.NormalizeSlashes(collectionPaths(document)), middleware.CORS(deps.Origins, apiKeyOnlyPaths(document)), csrf,
		pages.redirectDocuments)
	e.Use(middleware.RejectUnmatchedSuffix)
	apigen.RegisterHandlersWithOptions(e, apigen.NewStrictHandler(implementation, nil), apigen.RegisterHandlersOptions{OperationMiddlewares: operations})
	rejectShadowed(e, literal)
	registerPages(e, document, deps, pages)
	return authn.TakeFeedToken(middleware.Trace(middleware.HeadAsGet(e), deps.Telemetry.Tracing)), nil
}

// specification is parsed once: all servers of a process read the same document.
//
//nolint:gochecknoglobals // not changed
var specification = sync.OnceValues(apigen.GetSpec)

// loadDocument returns the specification, and an error when one of its operations for users lacks a permission.
func loadDocument(ctx context.Context) (*openapi3.T, error) {
	document, err := specification()
	if err != nil {
		return nil, fmt.Errorf("read the specification: %w", err)
	}
	if err := document.Validate(ctx); err != nil {
		return nil, fmt.Errorf("check the specification: %w", err)
	}
	isForUsers := func(operation string) bool { return slices.Contains(apigen.OperationSchemes[operation], "JWTAuth") }
	if err := authz.VerifyCoverage(apigen.OperationPermission, isForUsers); err != nil {
		return nil, fmt.Errorf("check the permissions: %w", err)
	}
	return document, nil
}

func newAPI(document *openapi3.T, deps Dependencies) (api, error) {
	responses, err := idempotency.New(deps.Keys.Derive("idempotency")...)
	if err != nil {
		return api{}, err
	}
	lists := cursorCodec{keys: deps.Keys.Derive("cursor")}
	changes := governance.Announcer{Pool: deps.DB, Logger: deps.Logger}
	return api{
		eventHandlers:                     eventHandlers{recorder: deps.Recorder},
		catalogueHandlers:                 catalogueHandlers{db: deps.DB, idempotency: responses, cursors: lists, quotas: deps.Quotas},
		deploymentHandlers:                deploymentHandlers{db: deps.DB, cursors: lists, clock: deps.Clock},
		buildHandlers:                     buildHandlers{db: deps.DB, cursors: lists, clock: deps.Clock},
		releaseHandlers:                   releaseHandlers{db: deps.DB, idempotency: responses, cursors: lists, quotas: deps.Quotas, clock: deps.Clock},
		notificationHandlers:              notificationHandlers{db: deps.DB, idempotency: responses, cursors: lists, quotas: deps.Quotas, channels: deps.Channels},
		deploymentRuleHandlers:            deploymentRuleHandlers{db: deps.DB, idempotency: responses, cursors: lists, changes: changes},
		calendarFeedHandlers:              calendarFeedHandlers{db: deps.DB, idempotency: responses, cursors: lists, feeds: deps.Feeds},
		deploymentTemplateHandlers:        deploymentTemplateHandlers{db: deps.DB, idempotency: responses, cursors: lists, quotas: deps.Quotas},
		preflightHandlers:                 preflightHandlers{db: deps.DB, preflight: &governance.Service{Rules: deps.Rules, Clock: deps.Clock}},
		approvalHandlers:                  approvalHandlers{db: deps.DB, idempotency: responses, cursors: lists},
		breakGlassHandlers:                breakGlassHandlers{db: deps.DB, idempotency: responses, cursors: lists},
		apiKeyHandlers:                    apiKeyHandlers{db: deps.DB, idempotency: responses, cursors: lists, keys: deps.Keys},
		authenticationHandlers:            authenticationHandlers{db: deps.DB, cursors: lists, flow: deps.SignIn, sessions: deps.Sessions},
		userHandlers:                      userHandlers{db: deps.DB, cursors: lists, changes: deps.Keys},
		auditLogHandlers:                  auditLogHandlers{db: deps.DB, cursors: lists},
		healthHandlers:                    healthHandlers{ready: deps.Ready, version: document.Info.Version},
		docsHandlers:                      docsHandlers{swaggerUI: sync.OnceValue(docs.SwaggerUI), reDoc: sync.OnceValue(docs.ReDoc)},
		deploymentRequestHandlers:         deploymentRequestHandlers{db: deps.DB, idempotency: responses, cursors: lists, changes: changes, publicURL: deps.Channels.PublicURL, hasMailer: deps.Channels.Sender.Mail != nil},
		deploymentRequestTemplateHandlers: deploymentRequestTemplateHandlers{db: deps.DB, idempotency: responses, cursors: lists},
	}, nil
}

// registerPages adds the pages for browsers, which the specification does not describe.
func registerPages(e *echo.Echo, document *openapi3.T, deps Dependencies, pages dashboardHandlers) {
	confirmationHandlers{db: deps.DB, channels: deps.Channels}.register(e)
	pages.register(e)
	if deps.SignIn.Development != nil {
		developmentHandlers{flow: deps.SignIn}.register(e, middleware.Browser(deps.SignIn.Cookies))
	}
	e.GET("/", echo.WrapHandler(docs.Home(document.Info.Version)))
	e.GET("/favicon.ico", echo.WrapHandler(docs.Favicon()))
	e.GET("/assets/*", echo.WrapHandler(docs.Assets()))
}

// literalPaths returns the Allow header of each path without parameters that has a path with parameters beside it, such as
// /users/me beside /users/{id}: the router mixes their methods.
func literalPaths(document *openapi3.T) map[string]string {
	allow := make(map[string]string)
	for path := range document.Paths.Map() {
		parent, parameter, found := strings.Cut(path, "/{")
		if !found || strings.Contains(parameter, "/") {
			continue
		}
		for literal, item := range document.Paths.Map() {
			rest, isBeside := strings.CutPrefix(literal, parent+"/")
			if isBeside && rest != "" && !strings.ContainsAny(rest, "/{") {
				allow[literal] = strings.Join(append(slices.Sorted(maps.Keys(item.Operations())), http.MethodOptions), ", ")
			}
		}
	}
	return allow
}

// rejectShadowed answers 405 to the methods that such a path lacks and the one with parameters has.
func rejectShadowed(e *echo.Echo, literal map[string]string) {
	for path, allow := range literal {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			if !slices.Contains(strings.Split(allow, ", "), method) {
				e.Add(method, path, func(c echo.Context) error {
					c.Response().Header().Set(echo.HeaderAllow, allow)
					return echo.ErrMethodNotAllowed
				})
			}
		}
	}
}

// The time limits of requests (middleware.Timeout).
const (
	requestTimeout  = 10 * time.Second
	outboundTimeout = 25 * time.Second // of an operation that also waits for another server
)

func timeoutOf(operation string) time.Duration {
	if apigen.OutboundOperations[operation] {
		return outboundTimeout
	}
	return requestTimeout
}

// authenticationTag is the tag of the operations of browsers.
const authenticationTag = "Authentication"

// newOperationMiddlewares returns the middleware of each operation, in the order of the request lifecycle.
func newOperationMiddlewares(document *openapi3.T, deps Dependencies) (map[string][]echo.MiddlewareFunc, error) {
	limiter := middleware.NewRateLimiter(middleware.RateLimits{
		Limiter: deps.Limits.Limiter, KeyPerMinute: deps.Limits.KeyPerMinute, AccountPerHour: deps.Limits.AccountPerHour,
		UserPerMinute: deps.Limits.UserPerMinute, FailuresPerMinute: deps.Limits.FailuresPerMinute,
		Metrics: deps.Telemetry.Metrics,
	})
	bodies := admission.NewByteBudget(int64(deps.Limits.BodyBytes))
	lists := bodycache.New(deps.Lists.Bytes, deps.Lists.Lifetime, deps.Clock)
	middlewares := make(map[string][]echo.MiddlewareFunc)
	for _, path := range document.Paths.Map() {
		for method, operation := range path.Operations() {
			id := operation.OperationID
			validator, err := validation.NewBody(operation)
			if err != nil {
				return nil, err
			}
			params, err := validation.NewParams(path, operation)
			if err != nil {
				return nil, err
			}
			middlewares[id] = []echo.MiddlewareFunc{
				middleware.TagOperation(id), middleware.Timeout(timeoutOf(id)),
				middleware.Authenticate(deps.Security, id, limiter, deps.Telemetry.Metrics), limiter.Middleware, middleware.Authorize(id), params.Middleware,
			}
			if slices.Contains(operation.Tags, authenticationTag) {
				middlewares[id] = append(middlewares[id], middleware.Browser(deps.SignIn.Cookies))
			}
			if validator != nil {
				if problems := bodyProblems(id); problems != nil {
					validator.Require(problems)
				}
				if deps.Limits.BodyBytes > 0 {
					middlewares[id] = append(middlewares[id], middleware.BodyBudget(bodies, deps.Telemetry.Metrics))
				}
				middlewares[id] = append(middlewares[id], validator.Middleware)
			}
			middlewares[id] = append(middlewares[id], sharing(method, operation, lists, deps)...)
		}
	}
	return middlewares, nil
}

// bodyProblems returns the function that finds the problems of an operation's body that schemas cannot express, nil if there is none.
func bodyProblems(operation string) func(value any) []apperr.Field {
	return map[string]func(any) []apperr.Field{
		"createDeploymentRule": governance.RuleProblems, "createVariable": templates.VariableProblems,
		"createDeploymentTemplate": templates.TemplateProblems, "updateDeploymentTemplate": templates.TemplateProblems,
		"createDeploymentRequest": requests.SlotProblems, "createDeploymentRequestTemplate": requests.SlotProblems, "updateDeploymentRequestTemplate": requests.SlotProblems,
	}[operation]
}

// sharing returns the middleware by which users share lists: of the operations that have If-None-Match, and of changes by users. Other
// lists are compressed for each request.
func sharing(method string, operation *openapi3.Operation, lists *bodycache.Cache, deps Dependencies) []echo.MiddlewareFunc {
	isForUsers := slices.Contains(apigen.OperationSchemes[operation.OperationID], "JWTAuth")
	switch {
	case operation.Parameters.GetByInAndName(openapi3.ParameterInHeader, "If-None-Match") != nil:
		shared := middleware.SharedBody(lists, timeoutOf(operation.OperationID), deps.Logger)
		if !isForUsers {
			return []echo.MiddlewareFunc{middleware.Revalidate, shared}
		}
		return []echo.MiddlewareFunc{shared}
	case isForUsers && method != http.MethodGet:
		return []echo.MiddlewareFunc{middleware.InvalidateSharedBodies(lists, deps.DB.UserWrote)}
	case isForUsers && operation.Parameters.GetByInAndName(openapi3.ParameterInQuery, "cursor") != nil:
		return []echo.MiddlewareFunc{middleware.Gzip()}
	default:
		return nil
	}
}

// collectionPaths returns the paths of the specification that end in a slash.
func collectionPaths(document *openapi3.T) map[string]bool {
	paths := make(map[string]bool)
	for path := range document.Paths.Map() {
		if strings.HasSuffix(path, "/") {
			paths[path] = true
		}
	}
	return paths
}

// apiKeyOnlyPaths returns the paths of the operations of CI systems that users cannot call.
func apiKeyOnlyPaths(document *openapi3.T) map[string]bool {
	paths := make(map[string]bool)
	for path, item := range document.Paths.Map() {
		for _, operation := range item.Operations() {
			schemes := apigen.OperationSchemes[operation.OperationID]
			if slices.Contains(schemes, "ApiKeyAuth") && !slices.Contains(schemes, "JWTAuth") {
				paths[path] = true
			}
		}
	}
	return paths
}
