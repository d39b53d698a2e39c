package database

import (
	"context"
	"database/sql/driver"
	"slices"
	"strings"

	"modernc.org/sqlite"
)

const (
	// keptStatements is how many statements a connection to a file keeps. One
	// takes some kilobytes.
	keptStatements = 64
	// keptText is the length in bytes up to which a text is kept: a longer one
	// holds a list of values, and is not likely to come again.
	keptText = 1 << 10
)

// fileConnector, fileConn, fileStmt and fileRows are a driver for database/sql
// on that of SQLite. A statement that is done with is kept by its connection for
// the next query of the same text, because to parse a text often takes longer
// than to run it. Of PostgreSQL pgx does so by itself.
//
// What is in use is not among those kept, so a text that is run again
// meanwhile is parsed again. database/sql has a connection, with its statements
// and rows, used by one goroutine at a time.
type fileConnector struct{ name string }

func (c fileConnector) Connect(context.Context) (driver.Conn, error) {
	under, err := c.Driver().Open(c.name)
	if err != nil {
		return nil, err
	}
	return &fileConn{sqliteConn: under.(sqliteConn)}, nil
}

func (fileConnector) Driver() driver.Driver { return &sqlite.Driver{} }

// sqliteConn is what a connection of the driver is.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// sqliteStmt is what a statement of the driver is.
type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type fileConn struct {
	sqliteConn
	kept []*fileStmt // the one used last is the last
}

func (c *fileConn) Close() error {
	for _, s := range c.kept {
		_ = s.sqliteStmt.Close() // it would say again what went wrong before
	}
	c.kept = nil
	return c.sqliteConn.Close()
}

func (c *fileConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	return c.take(ctx, query)
}

func (c *fileConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	result, err := s.ExecContext(ctx, args)
	s.done(err)
	return result, err
}

func (c *fileConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx, args)
	if err != nil {
		s.done(err)
		return nil, err
	}
	return &fileRows{rows, s}, nil
}

// take is a statement of the text that nobody else uses, until it is done.
func (c *fileConn) take(ctx context.Context, query string) (*fileStmt, error) {
	for k, s := range slices.Backward(c.kept) {
		if s.query == query {
			c.kept = slices.Delete(c.kept, k, k+1)
			return s, nil
		}
	}
	under, err := c.sqliteConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return &fileStmt{under.(sqliteStmt), c, query}, nil
}

type fileStmt struct {
	sqliteStmt
	conn  *fileConn
	query string
}

// Close keeps the statement.
func (s *fileStmt) Close() error {
	s.done(nil)
	return nil
}

// done keeps the statement, unless it has come to grief.
func (s *fileStmt) done(err error) {
	if err != nil || !keeps(s.query) {
		_ = s.sqliteStmt.Close() // err is what went wrong
		return
	}
	kept := &s.conn.kept
	if len(*kept) == keptStatements {
		_ = (*kept)[0].sqliteStmt.Close() // it had been run to its end
		*kept = slices.Delete(*kept, 0, 1)
	}
	*kept = append(*kept, s)
}

// keeps reports whether a text means the same each time: a PRAGMA may be carried
// out when it is parsed.
func keeps(query string) bool {
	word, _, _ := strings.Cut(query, " ")
	return len(query) <= keptText && slices.Contains([]string{"SELECT", "WITH", "INSERT", "UPDATE", "DELETE"}, word)
}

type fileRows struct {
	driver.Rows
	stmt *fileStmt
}

func (r *fileRows) Close() error {
	err := r.Rows.Close()
	r.stmt.done(err)
	return err
}
