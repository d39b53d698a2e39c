package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/database/pgtest"
	"github.com/fleetwatt/fleetwatt/ingest/servertest"
)

// editor changes batteries of its own over the API, one change after the other,
// and remembers what it was answered.
type editor struct {
	s    *server
	id   string
	stop chan struct{}

	mu       sync.Mutex
	made     []string       // batteries that were created for sure
	named    map[string]int // the newest name that was answered, by battery
	failures map[int]int    // by status; 0: no answer
	problem  string         // of the last 503
}

func (e *editor) run() {
	for n := 0; ; n++ {
		select {
		case <-e.stop:
			return
		default:
		}
		id := fmt.Sprintf("%s-%d", e.id, n/4)
		if n%4 == 0 {
			if e.do(http.MethodPost, "/api/v1/batteries", fmt.Sprintf(`{"id":%q,"owner_id":"acme"}`, id)) == http.StatusCreated {
				e.note(func() { e.made = append(e.made, id) })
			}
			continue
		}
		owner := []string{"acme", "bolt"}[n%2]
		if e.do(http.MethodPatch, "/api/v1/batteries/"+id, fmt.Sprintf(`{"name":"n%d","owner_id":%q}`, n, owner)) == http.StatusOK {
			e.note(func() { e.named[id] = n })
		}
	}
}

func (e *editor) note(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f()
}

func (e *editor) do(method, path, body string) int {
	req, err := http.NewRequest(method, e.s.url+path, strings.NewReader(body))
	if err != nil {
		e.s.t.Error(err)
		return 0
	}
	req.Header.Set("Authorization", "Bearer "+adminKey)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		e.note(func() { e.failures[0]++ })
		return 0
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if res.StatusCode >= http.StatusBadRequest || err != nil {
		e.note(func() {
			e.failures[res.StatusCode]++
			if res.StatusCode == http.StatusServiceUnavailable {
				e.problem = res.Header.Get("Content-Type") + " " + res.Header.Get("Retry-After") + " " + string(raw)
			}
		})
	}
	return res.StatusCode
}

// PostgreSQL is killed and started again under load: meanwhile the API answers
// 503 with a problem and nothing is acknowledged; afterwards both go on by
// themselves; and no change is there by half.
func TestKilledPostgreSQL(t *testing.T) {
	t.Parallel()
	const base, kills = 1767225600000, 3
	db := pgtest.Start(t)
	s := serve(t, "--database", db.Database())
	s.call(http.StatusCreated, http.MethodPost, "/api/v1/owners", `{"id":"acme","name":"Acme"}`)
	s.call(http.StatusCreated, http.MethodPost, "/api/v1/owners", `{"id":"bolt","name":"Bolt"}`)
	st := startStream("tcp://"+s.mqtt, base, "pg-1", "pg-2")
	var editing sync.WaitGroup
	stop := make(chan struct{})
	var editors []*editor
	for i := range 4 {
		e := &editor{s: s, id: fmt.Sprint("e", i), stop: stop, named: map[string]int{}, failures: map[int]int{}}
		editors = append(editors, e)
		editing.Go(e.run)
	}
	answered := func() (n int) {
		for _, e := range editors {
			e.note(func() { n += len(e.named) })
		}
		return n
	}
	for round := range kills {
		before := answered()
		s.eventually("changes to be made", time.Minute, func() bool { return answered() > before+20 })
		s.eventually("readings to be acknowledged", time.Minute, func() bool { return st.acked() > 1000*(round+1) })
		db.Kill()
		s.eventually("the API to say so", time.Minute, func() bool {
			return editors[0].do(http.MethodGet, "/api/v1/batteries?limit=1", "") == http.StatusServiceUnavailable
		})
		s.eventually("nothing acknowledged for a second", time.Minute, st.stalls(time.Second))
		if why := s.unready(); !strings.Contains(why, "database") {
			t.Errorf("the health endpoint says %q, want it to tell of the database", why)
		}
		db.Restart()
		s.eventually("ready again", time.Minute, func() bool { return s.unready() == "" })
	}
	more := st.acked()
	s.eventually("readings to be acknowledged again", time.Minute, func() bool { return st.acked() > more+1000 })
	close(stop)
	editing.Wait()
	st.end()
	s.wantAll(st, base)
	failed := map[int]int{}
	for _, e := range editors {
		for status, n := range e.failures {
			failed[status] += n
		}
		if !strings.HasPrefix(e.problem, "application/problem+json 5 ") {
			t.Errorf("503: got %q, want a problem with Retry-After 5", e.problem)
		}
		// 404 and 409 follow from a change whose answer was lost.
		for status := range e.failures {
			if !slices.Contains([]int{http.StatusServiceUnavailable, http.StatusNotFound, http.StatusConflict}, status) {
				t.Errorf("got %d answers with status %d, want 503 alone", e.failures[status], status)
			}
		}
		s.wantWhole(e)
	}
	t.Logf("%d changes answered and %d readings acknowledged over %d kills, all there and whole; refused: %v", answered(), st.acked(), kills, failed)
}

// wantWhole checks that every change of the editor's batteries is there with all
// that belongs to it, or not at all: the entry, its version, its traces in the
// audit log, and its ownership.
func (s *server) wantWhole(e *editor) {
	s.t.Helper()
	type battery struct {
		ID      string `json:"id"`
		Name    string `json:"name"`
		OwnerID string `json:"owner_id"`
		Version int    `json:"version"`
	}
	for _, id := range e.made {
		b := get[battery](s, "/api/v1/batteries/"+id)
		name := 0
		if _, err := fmt.Sscanf(b.Name, "n%d", &name); err != nil && e.named[id] > 0 || name < e.named[id] {
			s.t.Errorf("%s: got the name %q, want n%d, which was answered, or a later one", id, b.Name, e.named[id])
		}
		log := get[struct {
			Items []struct {
				Action string          `json:"action"`
				After  json.RawMessage `json:"after"`
			}
		}](s, "/api/v1/audit?kind=battery&object="+id)
		if len(log.Items) != b.Version {
			s.t.Errorf("%s: got %d changes in the audit log for version %d", id, len(log.Items), b.Version)
			continue
		}
		var last battery
		if err := json.Unmarshal(log.Items[0].After, &last); err != nil || last != b {
			s.t.Errorf("%s: got %+v as the last change in the audit log, %v, want %+v", id, last, err, b)
		}
		owners := get[struct {
			Items []struct {
				OwnerID string `json:"owner_id"`
				To      string `json:"to"`
			}
		}](s, "/api/v1/batteries/"+id+"/owners").Items
		if n := len(owners); n == 0 || owners[n-1].To != "" || owners[n-1].OwnerID != b.OwnerID {
			s.t.Errorf("%s: got owners %+v, want %s to this day", id, owners, b.OwnerID)
		}
	}
}

// Two servers on one PostgreSQL: what is registered at one is known to the
// other, and whoever loses a credential at one is thrown out at the other.
func TestTwoReplicas(t *testing.T) {
	t.Parallel()
	where, influxd := pgtest.Start(t).Database(), servertest.StartInfluxd(t)
	shared := []string{"--database", where, "--mqtt-anonymous=false", "--influx-url", influxd.URL, "--influx-bucket", "telemetry"}
	one, other := serve(t, shared...), serve(t, shared...)
	one.call(http.StatusCreated, http.MethodPost, "/api/v1/owners", `{"id":"acme","name":"Acme"}`)
	one.call(http.StatusCreated, http.MethodPost, "/api/v1/stations", `{"id":"s","owner_id":"acme"}`)
	got := get[struct {
		OwnerID string `json:"owner_id"`
	}](other, "/api/v1/stations/s")
	if got.OwnerID != "acme" {
		t.Errorf("at the other replica: got owner %q, want acme", got.OwnerID)
	}
	var given secret
	if err := json.Unmarshal(one.call(http.StatusCreated, http.MethodPost, "/api/v1/stations/s/credential", `{}`), &given); err != nil {
		t.Fatal(err)
	}
	var lost chan struct{}
	other.eventually("the credential to be known to the other", time.Minute, func() (in bool) {
		var err error
		lost, err = other.signIn("s", given.Secret)
		return err == nil
	})
	one.call(http.StatusNoContent, http.MethodDelete, "/api/v1/stations/s", "")
	thrownOut(t, "a device that was deleted at one replica", lost)
	if _, err := other.signIn("s", given.Secret); err == nil {
		t.Error("a device that was deleted at one replica signs in at the other")
	}
	for _, s := range []*server{one, other} {
		s.runJob("rollup")
	}
}
