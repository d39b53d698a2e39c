package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/processtest"
)

// operate runs an operator's command against the server to a good end.
func (s *server) operate(args ...string) (stdout, stderr string) {
	s.t.Helper()
	stdout, stderr, code := program(s.t, append(args, "--server", s.url, "--api-key", adminKey)...)
	if code != 0 {
		s.t.Fatalf("%v: exit code %d\n%s%s", args, code, stdout, stderr)
	}
	return stdout, stderr
}

// refuse runs a command that must fail with these words.
func (s *server) refuse(words string, args ...string) {
	s.t.Helper()
	stdout, stderr, code := program(s.t, append(args, "--server", s.url, "--api-key", adminKey)...)
	if code != 1 || !strings.Contains(stderr, words) {
		s.t.Errorf("%v: got exit code %d and %q %q, want 1 and %q", args, code, stdout, stderr, words)
	}
	if strings.Contains(stdout+stderr, adminKey) {
		s.t.Errorf("%v: the key is in what is printed", args)
	}
}

func operateJSON[T any](s *server, args ...string) (v T) {
	s.t.Helper()
	out, _ := s.operate(append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		s.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return v
}

func wants(t *testing.T, what, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s lacks %q:\n%s", what, w, text)
		}
	}
}

func TestQuarantineCommands(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.client("gw")
	binary := "\xff\xfe\x00binary"
	for _, m := range [][2]string{
		{"b1", `{"ts":1767225600000,"colour":7}`}, {"b1", `{"ts":1767225601000,"colour":8}`}, {"b2", "{\"state\":\"\x1b[31mred\x1b[0m"}, {"b2", binary},
	} {
		send(t, c, "fleet/v1/battery/"+m[0]+"/telemetry", []byte(m[1]))
	}
	type entry struct {
		ID     int64
		Device string
		Reason string
	}
	all := operateJSON[[]entry](s, "quarantine", "list")
	if len(all) != 4 || all[0].Device != "battery/b2" {
		t.Fatalf("list: got %+v, want four, the newest first", all)
	}
	for filter, want := range map[string]int{
		"--reason=unknown_field": 2, "--device=battery/b2": 2, "--limit=1": 1, "--since=1h": 4, "--until=1h": 0, "--until=" + time.Now().Add(time.Hour).Format(time.RFC3339): 4,
	} {
		if got := operateJSON[[]entry](s, "quarantine", "list", filter); len(got) != want {
			t.Errorf("list %s: got %d entries, want %d", filter, len(got), want)
		}
	}
	out, errs := s.operate("quarantine", "list", "--limit", "3")
	wants(t, "list", out, "REASON", "unknown_field", "battery/b1", "colour")
	wants(t, "list", errs, "3 of 4 entries")
	out, _ = s.operate("quarantine", "counts")
	wants(t, "counts", out, "unknown_field  2")

	out, _ = s.operate("quarantine", "show", fmt.Sprint(all[0].ID))
	wants(t, "show of bytes", out, "ff fe 00 62", "battery/b2", "fleet/v1/battery/b2/telemetry")
	out, _ = s.operate("quarantine", "show", fmt.Sprint(all[1].ID))
	wants(t, "show of text", out, `\x1b[31mred`, "malformed")
	if strings.ContainsAny(out, "\x1b\x00") {
		t.Errorf("show: control characters reach the terminal: %q", out)
	}
	if raw, _ := s.operate("quarantine", "show", fmt.Sprint(all[0].ID), "--payload", "-"); raw != binary {
		t.Errorf("payload: got %q, want %q", raw, binary)
	}
	s.refuse("not found", "quarantine", "show", "999")
	s.refuse("reason", "quarantine", "list", "--reason", "nonsense")
	s.refuse("yesterday", "quarantine", "list", "--since", "yesterday")
	s.refuse("say what", "quarantine", "replay")
	s.refuse("say what", "quarantine", "purge")

	out, _ = s.operate("quarantine", "replay", "--all")
	wants(t, "replay", out, "4 entries taken in again: 0 records stored, 4 in quarantine again", "unknown_field  2", "battery/b1", "colour")
	s.stop()
	config := filepath.Join(t.TempDir(), "fields.yaml")
	if err := os.WriteFile(config, []byte("fields:\n- {kind: battery, name: colour, max: 10}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.args = append(s.args, "--config", config)
	s.start(30 * time.Second)
	one := operateJSON[[]entry](s, "quarantine", "list", "--reason", "unknown_field", "--limit", "1")[0]
	out, _ = s.operate("quarantine", "replay", fmt.Sprint(one.ID))
	wants(t, "replay of one", out, "1 entries taken in again: 1 records stored, 0 in quarantine again")
	out, _ = s.operate("quarantine", "replay", "--device", "battery/b1")
	wants(t, "replay by device", out, "1 entries taken in again: 1 records stored")

	out, _ = s.operate("quarantine", "purge", "--device", "battery/b2", "--dry-run")
	wants(t, "dry run", out, "2 entries", "would be dropped")
	if got := operateJSON[struct{ Entries int }](s, "quarantine", "purge", "--older-than", "1h"); got.Entries != 0 {
		t.Errorf("purge of what is old: got %d entries, want none", got.Entries)
	}
	out, _ = s.operate("quarantine", "purge", "--reason", "malformed")
	wants(t, "purge", out, "entries of", "dropped")
	s.operate("quarantine", "purge", "--all")
	if got := operateJSON[[]entry](s, "quarantine", "list"); len(got) != 0 {
		t.Errorf("after the purge: got %+v, want nothing", got)
	}
}

func TestOperatorIsToldWhatToDo(t *testing.T) {
	t.Parallel()
	nobody := fmt.Sprintf("http://127.0.0.1:%d", processtest.FreePort(t))
	_, errs, code := program(t, "quarantine", "list", "--server", nobody, "--api-key", adminKey)
	if code != 1 {
		t.Errorf("nobody there: got exit code %d", code)
	}
	wants(t, "nobody there", errs, nobody, "--server", "fleetwatt serve")

	dir := t.TempDir()
	s := serve(t, "--data", dir, "--admin-key", "")
	_, errs, code = program(t, "quarantine", "list", "--server", s.url, "--api-key", "not-the-key-of-this-server")
	if code != 1 || strings.Contains(errs, "not-the-key") {
		t.Errorf("wrong key: got exit code %d and %q", code, errs)
	}
	wants(t, "wrong key", errs, "--api-key", "--data")
	if _, errs, code = program(t, "quarantine", "counts", "--server", s.url, "--data", dir); code != 0 {
		t.Errorf("key of the data directory: got exit code %d and %q", code, errs)
	}
	_, errs, code = program(t, "quarantine", "counts", "--server", s.url, "--data", t.TempDir())
	if code != 1 {
		t.Errorf("no key: got exit code %d", code)
	}
	wants(t, "no key", errs, "no key", "admin.key")
	cmd := command(t, "devices", "list")
	key, err := os.ReadFile(filepath.Join(dir, "admin.key"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(cmd.Env, "FLEETWATT_SERVER="+s.url, "FLEETWATT_API_KEY="+strings.TrimSpace(string(key)))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("by the environment: %v\n%s", err, out)
	}
}
