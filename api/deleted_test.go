package api

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Lists tell of what is deleted when they are asked to, each caller of its own.
func TestListsOfWhatIsDeleted(t *testing.T) {
	x := startTenants(t, alpha, bravo)
	collections := []string{"batteries", "stations", "buildings", "sites", "owners"} // in an order in which they can be deleted
	for _, owner := range []string{alpha, bravo} {
		for _, many := range collections {
			path, _ := x.fill(prefix+"/"+many+"/{id}", owner)
			if a := x.do(http.MethodDelete, path, ""); a.status != http.StatusNoContent {
				t.Fatalf("delete %s: got %d %s", path, a.status, a.body)
			}
		}
	}
	known, _ := x.callers()
	for _, c := range known {
		for _, many := range collections {
			for query, of := range map[string][]string{"?deleted=true": {alpha, bravo}, "": nil, "?deleted=false": nil} {
				if c.owner != "*" {
					of = slices.DeleteFunc(slices.Clone(of), func(owner string) bool { return owner != c.owner || c.role == "device" })
				}
				a := x.ask(c.key, http.MethodGet, prefix+"/"+many+query, "")
				if a.status != http.StatusOK {
					t.Errorf("%s: %s%s: got %d %s", c.name, many, query, a.status, a.body)
				}
				for _, owner := range []string{alpha, bravo} {
					if got, want := strings.Contains(a.body, owner), slices.Contains(of, owner); got != want {
						t.Errorf("%s: %s%s: tells of %s: %t, want %t\n%.300s", c.name, many, query, owner, got, want, a.body)
					}
				}
			}
		}
	}
}
