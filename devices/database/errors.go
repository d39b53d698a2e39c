package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrRefused says that a statement holds a value that the database can't store,
// and never will: a text with U+0000, a number beyond its type.
var ErrRefused = errors.New("the database can't store this")

// refused is an error that is ErrRefused too.
type refused struct{ err error }

func (e *refused) Error() string        { return ErrRefused.Error() + ": " + e.err.Error() }
func (e *refused) Is(target error) bool { return target == ErrRefused }
func (e *refused) Unwrap() error        { return e.err }

// unavailable is an error that is ErrUnavailable too.
type unavailable struct{ err error }

func (e *unavailable) Error() string        { return ErrUnavailable.Error() + ": " + e.err.Error() }
func (e *unavailable) Is(target error) bool { return target == ErrUnavailable }
func (e *unavailable) Unwrap() error        { return e.err }

// classify makes an error ErrUnavailable where it means that: the server did
// not answer, or it answered that it can't work now. The end of the caller's
// own ctx is no fault of the server. What is wrong with the values of a
// statement is ErrRefused.
func classify(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrRefused) {
		return err
	}
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		if cannotWork(answer.Code) {
			return &unavailable{err}
		}
		if strings.HasPrefix(answer.Code, "22") { // data exception
			return &refused{err}
		}
		return err
	}
	if connectionLost(err) {
		return &unavailable{err}
	}
	return err
}

// cannotWork reports whether an SQLSTATE says that the server, not the
// statement, is at fault, and that this may pass.
func cannotWork(code string) bool {
	switch code {
	case "57P01", "57P02", "57P03", // it is shut down, was crashed, is starting
		"53100", "53200", "53300": // disk full, out of memory, too many connections
		return true
	}
	return strings.HasPrefix(code, "08") // connection exception
}

// connectionLost reports whether err comes from connecting, from the network,
// or from a connection that was closed because of either.
func connectionLost(err error) bool {
	var (
		connecting *pgconn.ConnectError
		network    net.Error
		before     interface{ SafeToRetry() bool } // pgx's word for a connection that is gone
	)
	return errors.As(err, &connecting) || errors.As(err, &network) || errors.As(err, &before) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || pgconn.Timeout(err)
}

// contradiction reports whether a transaction was given up because of others at
// the same time, and would go through alone.
func contradiction(err error) bool {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		return false
	}
	return answer.Code == "40001" || answer.Code == "40P01" // serialization failure, deadlock
}

// unique reports whether a statement failed because what it makes is there.
func unique(err error) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && (answer.Code == "23505" || answer.Code == "42P06")
}
