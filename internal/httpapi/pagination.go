package httpapi

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"maps"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/authn"
	"github.com/versioner-io/versioner/internal/logctx"
	"github.com/versioner-io/versioner/internal/postgres"
)

const (
	defaultLimit = 50

	// maxPageSize bounds the rows and the items of a page, in bytes. A longer page ends early.
	maxPageSize = 8 << 20

	// alwaysFits is the size of rows whose items cannot exceed maxPageSize: JSON writes a byte as up to six (\u003c), and
	// environments have their metadata twice.
	alwaysFits = maxPageSize / 16
)

// position is where in a list a row stands: after a time, or after another identifier, and then its own.
type position struct {
	at    time.Time
	first uuid.UUID
	id    uuid.UUID
}

// positionSize is what a position takes in a cursor: microseconds and two identifiers.
const positionSize = 8 + 16 + 16

// pager makes and reads cursors. A cursor holds the position of the last row and a MAC over it and over the list that it
// belongs to (account, operation, filters), so that it can neither be forged nor be used elsewhere.
type pager struct{ key []byte }

func (p pager) encode(ctx context.Context, at position) string {
	cursor := binary.BigEndian.AppendUint64(nil, uint64(at.at.UnixMicro()))
	cursor = append(append(cursor, at.first[:]...), at.id[:]...)
	return base64.RawURLEncoding.EncodeToString(append(cursor, p.mac(ctx, cursor)...))
}

func (p pager) decode(ctx context.Context, text string) (*position, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) != positionSize+sha256.Size || !hmac.Equal(raw[positionSize:], p.mac(ctx, raw[:positionSize])) {
		return nil, apperr.NewInvalid(apperr.Field{
			Loc: []any{"query", "cursor"}, Msg: "invalid cursor; restart from the first page", Type: "value_error.cursor",
		})
	}
	return &position{
		at:    time.UnixMicro(int64(binary.BigEndian.Uint64(raw))).UTC(), //nolint:gosec // bits are bits
		first: uuid.UUID(raw[8:24]),
		id:    uuid.UUID(raw[24:40]),
	}, nil
}

func (p pager) mac(ctx context.Context, cursor []byte) []byte {
	r := logctx.From(ctx)
	filters := maps.Clone(r.Query)
	filters.Del("cursor")
	filters.Del("limit")
	mac := hmac.New(sha256.New, p.key)
	account := authn.PrincipalFrom(ctx).AccountID
	for _, part := range [][]byte{account[:], []byte(r.Operation), []byte(r.Path), []byte(filters.Encode()), cursor} {
		_, _ = mac.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part)))) //nolint:gosec // short
		_, _ = mac.Write(part)
	}
	return mac.Sum(nil)
}

// timeOf and the like are what the queries take: nothing on the first page.
func timeOf(after *position) *time.Time {
	if after == nil {
		return nil
	}
	return &after.at
}

func firstOfPosition(after *position) *uuid.UUID {
	if after == nil {
		return nil
	}
	return &after.first
}

func idOf(after *position) *uuid.UUID {
	if after == nil {
		return nil
	}
	return &after.id
}

// page reads one page, which has fewer items than the limit where they would exceed maxPageSize. It queries one row more than
// the limit to find whether there is a next page.
type page[Row, Item any] struct {
	rows func(db *postgres.DB, after *position, limit int32) ([]Row, error)
	at   func(Row) position
	item func(Row) Item
}

func (g page[Row, Item]) read(ctx context.Context, pool *postgres.TenantPool, p pager, limit *int, cursor *string) ([]Item, nullable.Nullable[string], error) {
	none := nullable.NewNullNullable[string]()
	var after *position
	if cursor != nil {
		var err error
		if after, err = p.decode(ctx, *cursor); err != nil {
			return nil, none, err
		}
	}
	size := valueOr(limit, defaultLimit)
	var list *postgres.Page
	var rows []Row
	err := postgres.Retry(ctx, func(context.Context) (err error) {
		list = pool.Page(authn.PrincipalFrom(ctx).AccountID, maxPageSize)
		rows, err = g.rows(list.DB, after, int32(size)+1) //nolint:gosec // at most 1,000, says the specification
		return err
	})
	if err != nil {
		return nil, none, err
	}
	items := make([]Item, 0, size)
	for _, row := range rows[:min(size, len(rows))] {
		items = append(items, g.item(row))
	}
	if list.Size() > alwaysFits {
		items = fit(items)
	}
	if len(items) == len(rows) && !list.IsCut() {
		return items, none, nil
	}
	return items, nullable.NewNullableWithValue(p.encode(ctx, g.at(rows[len(items)-1]))), nil
}

// fit returns the first items whose JSON does not exceed maxPageSize, at least one.
func fit[Item any](items []Item) []Item {
	size := 0
	for i, item := range items {
		encoded, err := json.Marshal(item)
		if err != nil {
			return items // encoding the answer reports it
		}
		if size += len(encoded) + len(","); size > maxPageSize && i > 0 {
			return items[:i]
		}
	}
	return items
}
