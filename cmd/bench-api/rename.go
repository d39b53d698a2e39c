package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// renaming renames a battery each time, so that what the server remembers of the
// fleet is out of date, until stop is called. It does nothing where every is 0.
func renaming(ctx context.Context, p *server, f filled, every time.Duration) (stop func() error) {
	if every == 0 {
		return func() error { return nil }
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		clock := time.NewTicker(every)
		defer clock.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				done <- nil
				return
			case <-clock.C:
			}
			if err := rename(p.http, f.Fleet, batteryID(n), fmt.Sprintf("renamed %d", time.Now().Unix())); err != nil {
				done <- err
				return
			}
		}
	}()
	return func() error {
		cancel()
		return <-done
	}
}

func rename(addr, key, id, name string) error {
	req, err := http.NewRequest(http.MethodPatch, "http://"+addr+"/api/v1/batteries/"+id, strings.NewReader(fmt.Sprintf(`{"name":%q}`, name)))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	if err := answer.Body.Close(); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("rename %s: status %d", id, answer.StatusCode)
	}
	return nil
}
