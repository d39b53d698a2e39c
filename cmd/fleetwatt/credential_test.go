package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// signIn tells whether a device gets in, and gives a channel that closes when it
// is thrown out.
func (s *server) signIn(username, secret string) (lost chan struct{}, err error) {
	s.t.Helper()
	lost = make(chan struct{})
	c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + s.mqtt).SetClientID(fmt.Sprintf("%s-%p", username, lost)).SetUsername(username).
		SetPassword(secret).SetAutoReconnect(false).SetConnectionLostHandler(func(paho.Client, error) { close(lost) }))
	token := c.Connect()
	if !token.WaitTimeout(time.Minute) {
		s.t.Fatal("the broker does not answer")
	}
	s.t.Cleanup(func() { c.Disconnect(0) })
	return lost, token.Error()
}

func thrownOut(t *testing.T, what string, lost chan struct{}) {
	t.Helper()
	select {
	case <-lost:
	case <-time.After(time.Minute):
		t.Errorf("%s: the connection stays", what)
	}
}

type secret struct{ Username, Secret string }

func TestCredentialCommands(t *testing.T) {
	t.Parallel()
	s := serve(t, "--mqtt-anonymous=false")
	for _, id := range []string{"s1", "s2", "s3"} {
		s.call(http.StatusCreated, http.MethodPost, "/api/v1/stations", fmt.Sprintf(`{"id":%q,"name":"Station %s"}`, id, id))
	}
	out, _ := s.operate("devices", "list", "--kind", "station")
	wants(t, "devices list", out, "station/s1", "station/s3", "Station s2", "unclaimed")

	out, errs := s.operate("devices", "credential", "create", "station/s1")
	wants(t, "create", errs, "not shown again")
	fields := strings.Fields(out)
	if len(fields) != 4 || fields[1] != "s1" || len(fields[3]) != 43 {
		t.Fatalf("create: got %q", out)
	}
	first := fields[3]
	s.refuse("rotate", "devices", "credential", "create", "station/s1")
	s.refuse("device not found", "devices", "credential", "create", "station/absent")
	s.refuse("not found", "devices", "credential", "list", "station/absent")
	s.refuse("kind/id", "devices", "credential", "list", "s1")
	s.operate("devices", "credential", "list", "station/s2") // which has none
	s.refuse("kind/id", "devices", "credential", "create", "s1")

	old, err := s.signIn("s1", first)
	if err != nil {
		t.Fatal(err)
	}
	second := operateJSON[secret](s, "devices", "credential", "rotate", "station/s1", "--grace", "7d")
	for name, value := range map[string]string{"old": first, "new": second.Secret} {
		if _, err := s.signIn("s1", value); err != nil {
			t.Errorf("in the grace: the %s secret: %v", name, err)
		}
	}
	select {
	case <-old:
		t.Error("a rotation with grace ends the connection")
	default:
	}
	s.refuse("the device may use", "devices", "credential", "rotate", "station/s1", "--grace", "7d")
	for name, value := range map[string]string{"old": first, "new": second.Secret} {
		if _, err := s.signIn("s1", value); err != nil {
			t.Errorf("rotated again in the grace: the %s secret: %v", name, err)
		}
	}
	third := operateJSON[secret](s, "devices", "credential", "rotate", "station/s1", "--grace", "0")
	thrownOut(t, "rotated at once", old)
	for name, value := range map[string]string{"first": first, "second": second.Secret} {
		if _, err := s.signIn("s1", value); err == nil {
			t.Errorf("rotated at once: the %s secret works", name)
		}
	}
	live, err := s.signIn("s1", third.Secret)
	if err != nil {
		t.Fatal(err)
	}
	s.refuse("90d", "devices", "credential", "rotate", "station/s1", "--grace", "5s")
	s.refuse("no secret", "devices", "credential", "rotate", "station/s2", "--grace", "0")

	out, _ = s.operate("devices", "credential", "create", "station/s1", "--common-name", "s1.example.com")
	wants(t, "certificate", out, "certificate", "s1.example.com")
	s.refuse("belongs to another", "devices", "credential", "create", "station/s2", "--common-name", "s1.example.com")
	out, _ = s.operate("devices", "credential", "list")
	wants(t, "list", out, "station/s1  secret", "station/s1  certificate")
	out, _ = s.operate("devices", "show", "station/s1")
	wants(t, "show", out, "id ", "s1.example.com", "Station s1")
	for _, shown := range []string{first, second.Secret, third.Secret} {
		if strings.Contains(out, shown) || strings.Contains(s.log.String(), shown) {
			t.Error("a secret is shown again")
		}
	}
	s.operate("devices", "credential", "revoke", "station/s1", "--common-name", "s1.example.com")
	for _, name := range []string{"a+b", "Dev/4", "50%2F"} {
		out, _ = s.operate("devices", "credential", "create", "station/s1", "--common-name", name)
		wants(t, "certificate", out, "  "+name+"  ")
		s.operate("devices", "credential", "revoke", "station/s1", "--common-name", name)
	}
	s.refuse("common_name", "devices", "credential", "revoke", "station/s1", "--common-name", "")
	s.operate("devices", "credential", "revoke", "station/s1")
	thrownOut(t, "revoked", live)
	if _, err := s.signIn("s1", third.Secret); err == nil {
		t.Error("a secret that was revoked works")
	}
	s.refuse("not found", "devices", "credential", "revoke", "station/s1")
}

func TestBulkCredentials(t *testing.T) {
	t.Parallel()
	s := serve(t, "--mqtt-anonymous=false")
	for _, id := range []string{"s1", "s2", "s3", "s4"} {
		s.call(http.StatusCreated, http.MethodPost, "/api/v1/stations", fmt.Sprintf(`{"id":%q}`, id))
	}
	s.operate("devices", "credential", "create", "station/s4", "--username", "four")
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.csv"), filepath.Join(dir, "out.csv")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(in, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("device,username,common_name\nstation/s1,,\nstation/s9,,\ns2,,\nstation/s4,again,\nstation/s3,four,\nstation/s1,other,\nstation/s2\nstation/s2,\"a\x01b\",\n")
	stdout, errs, code := program(t, "devices", "credential", "create", "--from", in, "--out", out, "--server", s.url, "--api-key", adminKey)
	if code != 1 {
		t.Errorf("got exit code %d and %q", code, stdout)
	}
	wants(t, "problems", errs, "in.csv:3: station/s9 is not registered", "in.csv:4: device", "in.csv:5: station/s4 has a secret", `in.csv:6: username "four" belongs to station/s4`,
		"in.csv:7: station/s1 has a secret, or gets one", "in.csv:8: has 1 fields, want 3", "in.csv:9: ", "nothing was done")
	if strings.Contains(errs, "in.csv:2:") {
		t.Errorf("a good line is complained about:\n%s", errs)
	}
	if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want no file", err)
	}
	for _, bad := range []string{"", "username\nx\n", "device,colour\n", "device,device\n", "device\n\"cut off"} {
		write(bad)
		s.refuse("in.csv", "devices", "credential", "create", "--from", in, "--dry-run")
	}

	write("\ufeffdevice, common_name, username\nstation/s1,,\n\nstation/s2,two.example.com,\nstation/s3,three.example.com,third\n")
	stdout, _ = s.operate("devices", "credential", "create", "--from", in, "--dry-run")
	wants(t, "dry run", stdout, "3 lines are good")
	s.refuse("out", "devices", "credential", "create", "--from", in)
	stdout, _ = s.operate("devices", "credential", "create", "--from", in, "--out", out)
	wants(t, "create", stdout, "2 secrets", "2 certificates")
	info, err := os.Stat(out)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %o, want 600", info.Mode().Perm())
	}
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil || len(records) != 3 || records[1][0] != "station/s1" || records[1][1] != "s1" || records[2][1] != "third" {
		t.Fatalf("got %q, %v", records, err)
	}
	for _, r := range records[1:] {
		if _, err := s.signIn(r[1], r[2]); err != nil {
			t.Errorf("%s: %v", r[0], err)
		}
	}
	write("device,common_name\nstation/s1,Dev/4\nstation/s2,Dev+5\n")
	stdout, _ = s.operate("devices", "credential", "create", "--from", in, "--out", filepath.Join(dir, "certificates.csv"))
	wants(t, "names that mean something in a URL", stdout, "0 secrets", "2 certificates")
	stdout, _ = s.operate("devices", "credential", "list")
	wants(t, "list", stdout, "  Dev/4  ", "  Dev+5  ")
	write("device\nstation/s2\n")
	s.refuse("exists", "devices", "credential", "create", "--from", in, "--out", out)
}

// A file without a secret in it would be in the way of another try.
func TestBulkCredentialsThatBreakOff(t *testing.T) {
	t.Parallel()
	var left atomic.Int32 // secrets that can be made
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Total-Count", "2")
		switch {
		case r.Method == http.MethodPost && left.Add(-1) < 0:
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, `{"title":"Internal Server Error","detail":"internal error"}`)
		case r.Method == http.MethodPost:
			_, _ = io.WriteString(w, `{"username":"s1","secret":"only-this-once"}`)
		case strings.HasSuffix(r.URL.Path, "/stations"):
			_, _ = io.WriteString(w, `{"items":[{"id":"s1"},{"id":"s2"}]}`)
		default:
			_, _ = io.WriteString(w, `{"items":[]}`)
		}
	}))
	defer front.Close()
	s := &server{t: t, url: front.URL}
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.csv"), filepath.Join(dir, "out.csv")
	if err := os.WriteFile(in, []byte("device\nstation/s1\nstation/s2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"devices", "credential", "create", "--from", in, "--out", out}
	s.refuse("in.csv:2: internal error: the server's log says why (no secret was made)", args...)
	if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want no file", err)
	}
	left.Store(1)
	s.refuse("in.csv:3: internal error: the server's log says why (1 secrets were made", args...)
	if b, err := os.ReadFile(out); err != nil || !strings.Contains(string(b), "only-this-once") {
		t.Errorf("got %q, %v, want the secret that was made", b, err)
	}
}
