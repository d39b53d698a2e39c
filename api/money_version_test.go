package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

// A statement says by which rules it was built, whatever the present ones are; one
// that was closed before that was kept says nothing of them.
func TestStatementKeepsItsVersion(t *testing.T) {
	s := startWithMoney(t)
	path := func(m time.Month) string { return fmt.Sprintf("%s/owners/acme/statements/2026-%02d", prefix, m) }
	said := map[time.Month]string{1: "", 2: "accounts/2", 3: accounts.Version}
	for m, version := range said {
		if m == time.March {
			continue // open
		}
		month := statement.Month{Year: 2026, Month: m}
		from, to := month.Bounds(time.UTC)
		told := accounts.Statement{Version: version, Statement: statement.Statement{Owner: "acme", Month: month, Zone: "UTC", From: from, To: to}}
		if _, err := s.ledger.CloseMonth(t.Context(), "acme", month.String(), "ann", told); err != nil {
			t.Fatal(err)
		}
	}
	for m, want := range said {
		a := s.get(path(m))
		var v MonthStatement
		a.into(t, &v)
		if v.Version != want || strings.Contains(a.body, `"version"`) != (want != "") {
			t.Errorf("%s: got %s, want the version %q", m, a.body, want)
		}
		page := s.send(http.MethodGet, path(m), "", map[string]string{"Authorization": "Bearer " + testKey, "Accept": "text/html"})
		if page.status != http.StatusOK || strings.Contains(page.body, "; rules "+want) != (want != "") || strings.Contains(page.body, "; rules") != (want != "") {
			t.Errorf("%s: got page %d %s, want the version %q", m, page.status, page.body, want)
		}
	}
}
