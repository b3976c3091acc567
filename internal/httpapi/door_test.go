package httpapi

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/httpapi/middleware"
)

// house is a door, an authentication that believes it all, and a room behind them.
type house struct {
	*echo.Echo

	places *overload
	asked  int // how often the authentication was
	people map[string]authn.Principal
}

func newHouse(most, waiting int, room echo.HandlerFunc) *house {
	h := &house{Echo: echo.New(), places: newOverload(most, waiting), people: make(map[string]authn.Principal)}
	logger := slog.New(slog.DiscardHandler)
	h.HTTPErrorHandler = errorHandler(logger)
	h.Use(middleware.Recover(logger))
	authenticate := func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			h.asked++
			person, ok := h.people[c.Request().Header.Get("Authorization")]
			if !ok {
				return apperr.New(apperr.Unauthenticated, "who are you?")
			}
			c.SetRequest(c.Request().WithContext(authn.WithPrincipal(c.Request().Context(), person)))
			return next(c)
		}
	}
	h.Any("/", room, h.places.door, authenticate, patient, h.places.middleware)
	return h
}

func (h *house) move(credential string) authn.Principal {
	h.people[credential] = authn.Principal{AccountID: uuid.New(), AccountSlug: "acme", UserID: uuid.New()}
	return h.people[credential]
}

// visit returns the status of the answer.
func (h *house) visit(t *testing.T, credential, body string) int {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	request.Header.Set("Authorization", credential)
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, request)
	return recorder.Code
}

func fine(c echo.Context) error { return c.NoContent(http.StatusNoContent) }

func TestDoorTurnsGuestsAwayBeforeAnythingIsAsked(t *testing.T) {
	t.Parallel()
	h := newHouse(1, 0, fine)
	ann, bob := h.move("ann"), h.move("bob")
	require.Equal(t, http.StatusNoContent, h.visit(t, "ann", ""))
	leave, err := h.places.enter(t.Context(), ann.AccountID)
	require.NoError(t, err)
	h.places.lastLeft = time.Now().Add(time.Hour) // however long this takes
	require.Equal(t, 1, h.asked)
	require.Equal(t, http.StatusServiceUnavailable, h.visit(t, "ann", ""))
	require.Equal(t, 1, h.asked, "whose turn it takes is known")
	require.Equal(t, http.StatusServiceUnavailable, h.visit(t, "ann", "body"))
	require.Equal(t, 2, h.asked, "a body is read without a place")
	require.Equal(t, http.StatusServiceUnavailable, h.visit(t, "bob", ""))
	require.Equal(t, 3, h.asked, "nobody knows Bob")
	require.Equal(t, http.StatusServiceUnavailable, h.visit(t, "bob", ""))
	require.Equal(t, 3, h.asked)
	leave()
	require.Equal(t, http.StatusNoContent, h.visit(t, "bob", ""))
	require.NotEqual(t, ann.AccountID, bob.AccountID)
	require.Zero(t, h.places.running)
}

func TestDoorIsPassedByWhoHasToBeToldSomethingElse(t *testing.T) {
	t.Parallel()
	limited := apperr.NewRateLimited(time.Minute)
	h := newHouse(1, 0, func(echo.Context) error { return limited })
	ann := h.move("ann")
	require.Equal(t, http.StatusTooManyRequests, h.visit(t, "ann", ""))
	leave, err := h.places.enter(t.Context(), ann.AccountID)
	require.NoError(t, err)
	defer leave()
	h.places.lastLeft = time.Now().Add(time.Hour) // the door is not open for another reason
	require.Equal(t, http.StatusServiceUnavailable, h.visit(t, "ann", ""), "of the place behind, which this house has instead of a limit")
	require.Equal(t, 2, h.asked, "she has sent too much: she is not kept at the door, nor are others because of her")
}

func TestDoorStandsOpenWhenNobodyGetsOn(t *testing.T) {
	t.Parallel()
	h := newHouse(1, 0, fine)
	ann := h.move("ann")
	require.Equal(t, http.StatusNoContent, h.visit(t, "ann", ""))
	leave, err := h.places.enter(t.Context(), ann.AccountID)
	require.NoError(t, err)
	defer leave()
	h.places.lastLeft = time.Now()
	require.True(t, h.places.isMoving(ann.AccountID))
	h.places.lastLeft = time.Now().Add(-standstill)
	require.False(t, h.places.isMoving(ann.AccountID))
	require.Equal(t, http.StatusServiceUnavailable, h.visit(t, "ann", ""))
	require.Equal(t, 2, h.asked, "what she has to wait for may be what the authentication waits for, too")
}

func TestDoorBelievesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(2, 1, fine)
	h.move("ann")
	require.Equal(t, http.StatusNoContent, h.visit(t, "ann", ""))
	require.Len(t, h.places.guests.known, 1)
	moved := h.move("ann") // to another account
	require.Equal(t, http.StatusNoContent, h.visit(t, "ann", ""))
	require.Equal(t, moved.AccountID, h.places.guests.known[h.places.guests.credential(http.Header{"Authorization": {"ann"}})].account)
	delete(h.people, "ann")
	require.Equal(t, http.StatusUnauthorized, h.visit(t, "ann", ""))
	require.Empty(t, h.places.guests.known, "who is not let in any more is no guest")
	require.Zero(t, h.places.running)
}

func TestDoorGivesPlacesBack(t *testing.T) {
	t.Parallel()
	tries := 0
	for name, test := range map[string]struct {
		room   echo.HandlerFunc
		status int
	}{
		"Fault": {func(echo.Context) error { return errors.New("a fault of ours") }, http.StatusInternalServerError},
		"Panic": {func(echo.Context) error { panic("a fault of ours") }, http.StatusInternalServerError},
		"SecondTry": {func(c echo.Context) error {
			if tries++; tries%2 == 1 {
				return &pgconn.PgError{Code: "57P01"} // the server is shutting down
			}
			return fine(c)
		}, http.StatusNoContent},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(1, 1, test.room)
			h.move("ann")
			for range 2 {
				require.Equal(t, test.status, h.visit(t, "ann", ""))
				require.Zero(t, h.places.running)
			}
		})
	}
	require.Equal(t, 4, tries)
}

func TestGuestsAreForgottenBeforeTheyAreTooMany(t *testing.T) {
	t.Parallel()
	known := newGuests()
	for i := range uint64(maxGuests) {
		known.note(i, authn.Principal{UserID: uuid.New()}, nil)
	}
	require.Len(t, known.known, maxGuests)
	known.note(maxGuests, authn.Principal{UserID: uuid.New()}, nil)
	require.Len(t, known.known, 1)
	one, two := http.Header{"Authorization": {"a"}, "Cookie": {"b"}}, http.Header{"Authorization": {"a"}, "Cookie": {"c"}}
	require.NotEqual(t, known.credential(one), known.credential(two))
	require.Equal(t, known.credential(one), known.credential(one.Clone()))
}
