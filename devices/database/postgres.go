package database

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

const (
	// Connections of one process to one schema, at most, and how long each is
	// kept: not for ever, so that a server behind a moved address is found.
	serverWriters  = 8
	serverReaders  = 16
	connectionLife = 30 * time.Minute
	connectionIdle = 5 * time.Minute

	// connectTimeout bounds one try to connect, in which a server that is down
	// may not answer at all.
	connectTimeout = 5 * time.Second

	// tryTime is the default of Options.TryTime: far more than the largest
	// transaction takes.
	tryTime = 2 * time.Minute

	firstWait = 500 * time.Millisecond
	maxWait   = 15 * time.Second
)

// openPostgres waits for the server, makes the schema and brings it up to date.
// Several processes may do so at once: one migrates, the others wait for it.
func openPostgres(ctx context.Context, url string, o Options) (*DB, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err // pgx leaves the password out
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	config.RuntimeParams["search_path"] = o.Schema
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "fleetwatt " + o.Schema
	}
	db := &DB{
		Write:   openServer(config, false, serverWriters),
		Read:    openServer(config, true, serverReaders),
		locks:   openServer(config, false, 0),
		retried: contradiction, tryTime: cmp.Or(o.TryTime, tryTime),
	}
	if err := awaitServer(ctx, db.Write, config, o.Logger); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := prepareSchema(ctx, db.Write, o); err != nil {
		return nil, errors.Join(fmt.Errorf("bring schema %s of database %s on %s up to date: %w", o.Schema, config.Database, config.Host, err), db.Close())
	}
	return db, nil
}

// openServer opens a pool of at most n connections; 0: no bound of its own.
// What a transaction is, is a setting of the session, so that every path to one
// has it.
func openServer(config *pgx.ConnConfig, readOnly bool, n int) *sql.DB {
	c := config.Copy()
	c.RuntimeParams["default_transaction_isolation"] = "serializable"
	if readOnly {
		// A serializable reader could be turned away for what it read.
		c.RuntimeParams["default_transaction_isolation"] = "repeatable read"
		c.RuntimeParams["default_transaction_read_only"] = "on"
	}
	pool := sql.OpenDB(&pgConnector{config: c, readOnly: readOnly})
	pool.SetMaxOpenConns(n)
	pool.SetMaxIdleConns(max(n/2, 1))
	pool.SetConnMaxLifetime(connectionLife)
	pool.SetConnMaxIdleTime(connectionIdle)
	return pool
}

// awaitServer waits until the server answers. A refusal, of the password or of
// the database's name, is not waited for: it stays.
func awaitServer(ctx context.Context, db *sql.DB, config *pgx.ConnConfig, log *slog.Logger) error {
	for pause := firstWait; ; pause = min(2*pause, maxWait) {
		err := db.PingContext(ctx)
		if !errors.Is(err, ErrUnavailable) {
			return err
		}
		log.Error("PostgreSQL can't be reached; is it running, and is the address right? Nothing starts without it",
			"host", config.Host, "port", config.Port, "database", config.Database, "retry_in", pause, "err", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}

func prepareSchema(ctx context.Context, db *sql.DB, o Options) error {
	var encoding string
	if err := db.QueryRowContext(ctx, `SHOW server_encoding`).Scan(&encoding); err != nil {
		return err
	}
	if encoding != "UTF8" {
		return fmt.Errorf("the database has the encoding %s: want UTF8", encoding)
	}
	if err := makeSchema(ctx, db, o.Schema); err != nil {
		return err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(key("migrate/"+o.Schema)), lock.WithLockTimeout(1, 300))
	if err != nil {
		return err
	}
	return migrate(ctx, goose.DialectPostgres, db, translated{o.Migrations}, goose.WithSessionLocker(locker))
}

// makeSchema makes the schema unless it is there, which an operator may have
// seen to who does not let us.
func makeSchema(ctx context.Context, db *sql.DB, schema string) error {
	var there bool
	err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)`, schema).Scan(&there)
	if err != nil || there {
		return err
	}
	_, err = db.ExecContext(ctx, `CREATE SCHEMA IF NOT EXISTS `+pgx.Identifier{schema}.Sanitize())
	if unique(err) {
		return nil // another process was faster
	}
	return err
}

// key is the number of an advisory lock.
func key(name string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("fleetwatt/" + name)) // it never fails
	return int64(h.Sum64())
}
