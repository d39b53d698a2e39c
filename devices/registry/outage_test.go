package registry_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database/pgtest"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

// Who waits for a change that hangs waits no longer than it wants to.
func TestChangeBehindOneThatHangs(t *testing.T) {
	server := pgtest.Start(t)
	r := open(t, server.Database(), registry.Options{})
	defer func() { _ = r.Close() }()
	b := []devices.Ref{{Kind: devices.KindBattery, ID: "b"}}
	server.Freeze()
	long, stop := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { first <- r.Enroll(long, b) }()
	for range 2 { // behind the first, or before it and hanging itself
		short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		ended := make(chan error, 1)
		go func() { ended <- r.Enroll(short, []devices.Ref{{Kind: devices.KindBattery, ID: "c"}}) }()
		select {
		case err := <-ended:
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("it did not end")
		}
		cancel()
	}
	stop()
	if err := <-first; err == nil {
		t.Error("the first: got no error")
	}
	server.Thaw()
	if err := r.Enroll(t.Context(), b); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// What came of a request while the database was away is told when it is back,
// and nobody is told that it is under way.
func TestAnswersAreOwed(t *testing.T) {
	server := pgtest.Start(t)
	r, ctx := open(t, server.Database(), registry.Options{}), t.Context()
	defer func() { _ = r.Close() }()
	at := time.Now()
	request := func(key string, n int) registry.Request {
		return registry.Request{Actor: "a", Key: key, Begun: at.Add(time.Duration(n) * time.Millisecond)}
	}
	for _, key := range []string{"kept", "dropped"} {
		if _, answered, err := r.BeginAnswer(ctx, request(key, 0)); err != nil || answered {
			t.Fatalf("begin %s: got %v, %v", key, answered, err)
		}
	}
	server.Kill()
	want := registry.Answer{Status: 201, Headers: "{}", Body: []byte("made")}
	_, _, begun := r.BeginAnswer(ctx, request("never begun", 0))
	for what, err := range map[string]error{
		"keep": r.KeepAnswer(ctx, request("kept", 0), want), "drop": r.DropAnswer(ctx, request("dropped", 0)), "begin": begun,
	} {
		if !errors.Is(err, registry.ErrUnavailable) {
			t.Errorf("%s without a server: got %v, want %v", what, err, registry.ErrUnavailable)
		}
	}
	server.Restart()
	if got, answered, err := r.BeginAnswer(ctx, request("kept", 1)); err != nil || !answered || string(got.Body) != "made" || got.Status != 201 {
		t.Errorf("a request that was answered: got %+v, %v, %v, want its answer", got, answered, err)
	}
	for _, key := range []string{"dropped", "never begun"} {
		if _, answered, err := r.BeginAnswer(ctx, request(key, 1)); err != nil || answered {
			t.Errorf("%s: got %v, %v, want it to be made", key, answered, err)
		}
		// It is under way now, and an ending of the first time says nothing of it.
		if _, _, err := r.BeginAnswer(ctx, request(key, 2)); !errors.Is(err, registry.ErrUnanswered) {
			t.Errorf("%s again: got %v, want %v", key, err, registry.ErrUnanswered)
		}
	}
}

// A server that fell back to an older state, or went on from one, is followed:
// everything is loaded anew.
func TestFollowAfterLostCommits(t *testing.T) {
	where, ctx := pgtest.Start(t).Database(), t.Context()
	one := open(t, where, registry.Options{})
	defer func() { _ = one.Close() }()
	other, _ := following(t, where)
	db, err := pgx.Connect(ctx, where)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(ctx)
	sql := func(statement string) {
		t.Helper()
		if _, err := db.Exec(ctx, statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	known := func(id string) func() bool {
		return func() bool { _, known := other.Lookup(devices.Ref{Kind: devices.KindBattery, ID: id}); return known }
	}
	enroll := func(id string) {
		t.Helper()
		if err := one.Enroll(ctx, []devices.Ref{{Kind: devices.KindBattery, ID: id}}); err != nil {
			t.Fatal(err)
		}
		within(t, id, known(id))
	}
	lose := func(id string) string {
		return `DELETE FROM registry.touched WHERE id = '` + id + `'; DELETE FROM registry.devices WHERE id = '` + id + `'; `
	}
	enroll("a")
	enroll("b")
	sql(`BEGIN; ` + lose("b") + `DELETE FROM registry.marks WHERE revision = 2; UPDATE registry.revisions SET value = 1; COMMIT`)
	within(t, "b is lost", func() bool { return !known("b")() })
	if !known("a")() {
		t.Error("a was not lost: got it unknown")
	}
	enroll("c")
	// The change is lost, and others have taken its number and the next.
	sql(`BEGIN; ` + lose("c") + `UPDATE registry.marks SET mark = mark - 1 WHERE revision = 2;
		INSERT INTO registry.marks (revision, mark) VALUES (3, 7); UPDATE registry.revisions SET value = 3; COMMIT`)
	within(t, "c is lost", func() bool { return !known("c")() })
}

// Who made a key, changed its end or revoked it is in the audit log; the digest
// of the key is not.
func TestKeysInTheAuditLog(t *testing.T) {
	r := open(t, t.TempDir()+"/registry.db", registry.Options{})
	defer func() { _ = r.Close() }()
	ctx := registry.WithActor(t.Context(), "ann")
	hash := registry.KeyHash{1, 2, 3}
	key, err := r.CreateKey(ctx, registry.Key{Prefix: "aaaaaaaa", Name: "pump", Role: "viewer"}, hash)
	if err == nil {
		_, err = r.RotateKey(ctx, key.Prefix, registry.Key{Prefix: "bbbbbbbb"}, registry.KeyHash{4}, time.Hour)
	}
	if err == nil {
		err = errors.Join(r.RevokeKey(ctx, "bbbbbbbb"), r.RevokeKey(ctx, "bbbbbbbb"), r.KeyUsed(ctx, "aaaaaaaa"))
	}
	if err != nil {
		t.Fatal(err)
	}
	all, _, err := r.Changes(ctx, registry.ChangeFilter{Kind: "key"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range all {
		got = append(got, c.Actor+" "+string(c.Action)+" "+c.ObjectID)
	}
	want := []string{"ann revoke bbbbbbbb", "ann create bbbbbbbb", "ann update aaaaaaaa", "ann create aaaaaaaa"}
	if len(got) != len(want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("entry %d: got %q, want %q", i, got[i], want[i])
		}
	}
	const made = `{"prefix":"aaaaaaaa","name":"pump","role":"viewer"}`
	if after := string(all[3].After); after != made || all[3].Before != nil {
		t.Errorf("the first: got %s → %s, want %s", all[3].Before, after, made)
	}
}
