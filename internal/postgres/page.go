package postgres

import (
	"context"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Page is a handle of one account that bounds the first list that it reads. The list ends early, without an error, at the row that
// would exceed the size of the page; the first row is always read. The rest is neither read nor sent: the statement is cancelled.
// Further lists on the handle, which read what belongs to the rows of the first, are not bounded.
type Page struct {
	*DB

	maxSize, size, rows int
	isUsed, isCut       bool
	deadline            time.Time // of its lists, if not zero
}

// newPage returns a handle whose first list has at most maxSize bytes. All lists on it end within the timeout, if that is not 0.
func (p *TenantPool) newPage(accountID uuid.UUID, maxSize int, timeout time.Duration) *Page {
	page := &Page{maxSize: maxSize}
	if timeout > 0 {
		page.deadline = time.Now().Add(timeout)
	}
	page.DB = newDB(pageConn{beginner: p.Tenant(accountID).conn, page: page})
	return page
}

func (p *Page) withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if p.deadline.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, p.deadline)
}

// Size returns the bytes of the rows that were read.
func (p *Page) Size() int { return p.size }

// IsCut reports whether the list ended early.
func (p *Page) IsCut() bool { return p.isCut }

type pageConn struct {
	beginner

	page *Page
}

// Query implements dbgen.DBTX. The generated code calls it for lists.
func (c pageConn) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	ctx, cancel := c.page.withDeadline(ctx)
	rows, err := c.beginner.Query(ctx, sql, args...)
	if err != nil {
		cancel()
		return nil, err
	}
	page := c.page
	if page.isUsed {
		page = &Page{maxSize: math.MaxInt}
	}
	c.page.isUsed = true
	return &pageRows{Rows: rows, page: page, cancel: cancel}, nil
}

type pageRows struct {
	pgx.Rows

	page   *Page
	cancel context.CancelFunc
}

// Next returns false after the last row of the page.
func (r *pageRows) Next() bool {
	if r.page.isCut || !r.Rows.Next() {
		return false
	}
	size := 0
	for _, value := range r.RawValues() {
		size += len(value)
	}
	r.page.rows++
	if r.page.rows > 1 && r.page.size+size > r.page.maxSize {
		r.page.isCut = true
		r.Close()
		return false
	}
	r.page.size += size
	return true
}

// Close ends the statement. Cancelling the context closes the connection of an unfinished one, which the pool replaces: reading
// the rest would take longer.
func (r *pageRows) Close() {
	r.cancel()
	r.Rows.Close()
}

// Err returns the error of the statement, nil for a page that was cut.
func (r *pageRows) Err() error {
	if r.page.isCut {
		return nil
	}
	return r.Rows.Err() //nolint:wrapcheck // Classify sees it
}
