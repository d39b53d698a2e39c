package influx

import (
	"context"
	"fmt"
)

// ensureDatabase creates the database where it is missing. A retention policy
// is never created: how long to keep the data is for an operator to say.
func (s *Store) ensureDatabase(ctx context.Context) error {
	found, err := s.shows(ctx, "SHOW DATABASES", s.database)
	if err != nil {
		return err
	}
	if !found {
		if err := s.createDatabase(ctx); err != nil {
			return err
		}
	}
	if s.policy == "" {
		return nil
	}
	found, err = s.shows(ctx, "SHOW RETENTION POLICIES ON "+quoteIdent(s.database), s.policy)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("database %q has no retention policy %q: create it first", s.database, s.policy)
	}
	return nil
}

func (s *Store) createDatabase(ctx context.Context) error {
	ignore := func(int, *series) error { return nil }
	if err := s.query(ctx, "CREATE DATABASE "+quoteIdent(s.database), ignore); err != nil {
		return fmt.Errorf("there is no database %q, and the server does not create it: %w", s.database, err)
	}
	s.log.InfoContext(ctx, "influxdb database created", "database", s.database)
	return nil
}

// shows reports whether the statement lists name in its first column.
func (s *Store) shows(ctx context.Context, statement, name string) (bool, error) {
	found := false
	err := s.query(ctx, statement, func(_ int, sr *series) error {
		for _, row := range sr.Values {
			found = found || len(row) > 0 && row[0].kind == cellText && row[0].text == name
		}
		return nil
	})
	return found, err
}
