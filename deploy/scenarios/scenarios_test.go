package scenarios_test

import (
	"io"
	"strings"
	"testing"

	"github.com/fleetwatt/fleetwatt/deploy/scenarios"
)

func TestEveryNameOpens(t *testing.T) {
	names := scenarios.Names()
	if got, want := strings.Join(names, " "), "city demo faulty retrofit stress"; got != want {
		t.Errorf("got %q want %q", got, want)
	}
	for _, name := range names {
		f, err := scenarios.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		if err != nil || !strings.Contains(string(b), "name: "+name+"\n") {
			t.Errorf("%s: got %v and %q", name, err, b)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := scenarios.Open("nope"); err == nil || !strings.Contains(err.Error(), "faulty") {
		t.Errorf("an unknown name: got %v", err)
	}
}
