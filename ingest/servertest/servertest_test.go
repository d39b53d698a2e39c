package servertest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/ingest/servertest"
)

// query sends one InfluxQL statement and returns its answer.
func query(t *testing.T, db *servertest.Influxd, q string) string {
	t.Helper()
	resp, err := http.PostForm(db.URL+"/query", url.Values{"q": {q}, "db": {"test"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: got %s %s, error %v", q, resp.Status, body, err)
	}
	return string(body)
}

func TestInfluxdKeepsItsDataOverKill(t *testing.T) {
	db := servertest.StartInfluxd(t)
	query(t, db, "CREATE DATABASE test")
	resp, err := http.Post(db.URL+"/write?db=test", "text/plain", strings.NewReader("m v=42.5 1000"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Fatalf("write: got %s, want 204", resp.Status)
	}
	before := db.URL
	db.Stop()
	db.Stop()
	if _, err := http.Get(before + "/ping"); err == nil {
		t.Error("a stopped server answers")
	}
	db.Start()
	if db.URL != before {
		t.Errorf("got URL %s after the restart, want %s", db.URL, before)
	}
	if got := query(t, db, "SELECT v FROM m"); !strings.Contains(got, "42.5") {
		t.Errorf("after the restart: got %s, want the point of before", got)
	}
}

func TestInfluxdFreezes(t *testing.T) {
	db := servertest.StartInfluxd(t)
	db.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, db.URL+"/ping", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
		t.Errorf("a frozen server answers %s", resp.Status)
	}
	db.Thaw()
	if got := query(t, db, "SHOW DATABASES"); !json.Valid([]byte(got)) {
		t.Errorf("thawed: got %q, want JSON", got)
	}
}

// connect says CONNECT to the broker and returns the code of its CONNACK.
func connect(t *testing.T, addr string) byte {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	packet := []byte{0x10, 13, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 30, 0, 1, 'x'}
	if _, err := conn.Write(packet); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 4)
	if _, err := io.ReadFull(bufio.NewReader(conn), answer); err != nil {
		t.Fatal(err)
	}
	if answer[0] != 0x20 {
		t.Fatalf("got packet %x, want a CONNACK", answer)
	}
	return answer[3]
}

func TestMosquitto(t *testing.T) {
	m := servertest.StartMosquitto(t, "max_packet_size 2000000")
	if code := connect(t, m.Addr); code != 0 {
		t.Errorf("got return code %d, want 0", code)
	}
	m.Stop()
	if conn, err := net.Dial("tcp", m.Addr); err == nil {
		conn.Close()
		t.Error("a stopped broker accepts connections")
	}
	m.Start()
	if code := connect(t, m.Addr); code != 0 {
		t.Errorf("after the restart: got return code %d, want 0", code)
	}
	m.Kill()
}
