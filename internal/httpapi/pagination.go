package httpapi

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
)

const (
	defaultLimit = 50

	// maxPageSize bounds the rows and the items of a page, in bytes. A longer page ends early.
	maxPageSize = 8 << 20

	// alwaysFits is the size of rows whose items cannot exceed maxPageSize: JSON writes a byte as up to six (\u003c), and
	// environments have their metadata twice.
	alwaysFits = maxPageSize / 16
)

// keyset is the position of a row in a list: after a time, another identifier or a name, and then its own identifier.
type keyset struct {
	at    time.Time
	first uuid.UUID
	id    uuid.UUID
	name  string
}

var errInvalidCursor = apperr.NewInvalid(apperr.Field{
	Loc: []any{"query", "cursor"}, Msg: "invalid cursor; restart from the first page", Type: "value_error.cursor",
})

// positionSize is what a position takes in a cursor before its name: microseconds and two identifiers.
const positionSize = 8 + 16 + 16

// listScope is the list that a cursor belongs to.
type listScope struct {
	account   uuid.UUID
	operation string
	request   any // the generated request object: the parameters of path and query
}

// filters returns the parameters that decide which objects are in the list, in a fixed order.
func (s listScope) filters() ([]byte, error) {
	encoded, err := json.Marshal(s.request)
	if err != nil {
		return nil, fmt.Errorf("encode a request: %w", err)
	}
	var members map[string]any
	if err := json.Unmarshal(encoded, &members); err != nil {
		return nil, fmt.Errorf("decode a request: %w", err)
	}
	if params, ok := members["Params"].(map[string]any); ok {
		for _, name := range []string{"cursor", "limit", "If-None-Match"} {
			delete(params, name)
		}
	}
	return json.Marshal(members) //nolint:wrapcheck // of decoded JSON
}

// cursorCodec makes and reads cursors. A cursor holds the position of the last row and a MAC over it and over the list that it
// belongs to (account, operation, filters), so that it can neither be forged nor be used elsewhere. The first key makes the MAC; a cursor with that of any key is read.
type cursorCodec struct{ keys [][]byte }

func (c cursorCodec) encode(scope listScope, at keyset) (string, error) {
	cursor := binary.BigEndian.AppendUint64(nil, uint64(at.at.UnixMicro()))
	cursor = append(append(append(cursor, at.first[:]...), at.id[:]...), at.name...)
	mac, err := mac(c.keys[0], scope, cursor)
	return base64.RawURLEncoding.EncodeToString(append(cursor, mac...)), err
}

func (c cursorCodec) decode(scope listScope, text string) (*keyset, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) < positionSize+sha256.Size {
		return nil, errInvalidCursor
	}
	position, sum := raw[:len(raw)-sha256.Size], raw[len(raw)-sha256.Size:]
	for _, key := range c.keys {
		mac, err := mac(key, scope, position)
		if err != nil {
			return nil, err
		}
		if hmac.Equal(sum, mac) {
			return &keyset{
				at:    time.UnixMicro(int64(binary.BigEndian.Uint64(position))).UTC(), //nolint:gosec // bits are bits
				first: uuid.UUID(position[8:24]),
				id:    uuid.UUID(position[24:40]),
				name:  string(position[positionSize:]),
			}, nil
		}
	}
	return nil, errInvalidCursor
}

func mac(key []byte, scope listScope, cursor []byte) ([]byte, error) {
	filters, err := scope.filters()
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key)
	for _, part := range [][]byte{scope.account[:], []byte(scope.operation), filters, cursor} {
		_, _ = mac.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part)))) //nolint:gosec // short
		_, _ = mac.Write(part)
	}
	return mac.Sum(nil), nil
}

// time is the argument of a query for the time of the keyset. Like the following ones, it is nil on the first page.
func (k *keyset) time() *time.Time {
	if k == nil {
		return nil
	}
	return &k.at
}

// firstID is the argument for the first identifier.
func (k *keyset) firstID() *uuid.UUID {
	if k == nil {
		return nil
	}
	return &k.first
}

// lastID is the argument for the last identifier.
func (k *keyset) lastID() *uuid.UUID {
	if k == nil {
		return nil
	}
	return &k.id
}

// lastName is the argument for the name.
func (k *keyset) lastName() *string {
	if k == nil {
		return nil
	}
	return &k.name
}

// page is a page of a list to read.
type page[Row, Item any] struct {
	scope  listScope
	limit  *int
	cursor *string

	rows func(db *postgres.DB, after *keyset, limit int32) ([]Row, error)
	at   func(Row) keyset
	item func(Row) Item
}

// paginate reads a page, which has fewer items than the limit where they would exceed maxPageSize. It queries one row more than
// the limit to find whether there is a next page.
func paginate[Row, Item any](ctx context.Context, pool *postgres.TenantPool, cursors cursorCodec, p page[Row, Item]) ([]Item, nullable.Nullable[string], error) {
	none := nullable.NewNullNullable[string]()
	var after *keyset
	if p.cursor != nil {
		var err error
		if after, err = cursors.decode(p.scope, *p.cursor); err != nil {
			return nil, none, err
		}
	}
	size := ptr.Or(p.limit, defaultLimit)
	var list *postgres.Page
	var rows []Row
	err := pool.ReadPage(ctx, p.scope.account, maxPageSize, func(page *postgres.Page) (err error) {
		list = page
		rows, err = p.rows(list.DB, after, int32(size)+1) //nolint:gosec // at most 1,000 by the specification
		return err
	})
	if err != nil {
		return nil, none, err
	}
	items := make([]Item, 0, size)
	for _, row := range rows[:min(size, len(rows))] {
		items = append(items, p.item(row))
	}
	if list.Size() > alwaysFits {
		items = fit(items)
	}
	if len(items) == len(rows) && !list.IsCut() {
		return items, none, nil
	}
	next, err := cursors.encode(p.scope, p.at(rows[len(items)-1]))
	return items, nullable.NewNullableWithValue(next), err
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
