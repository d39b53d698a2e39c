package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fleetwatt/fleetwatt/api"
)

// registryFile is a file to import, and what writes it.
func registryFile(t *testing.T) (file string, write func(text string)) {
	file = filepath.Join(t.TempDir(), "registry.csv")
	return file, func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// What is exported can be changed in a file and imported, and every cell that
// can't be accepted is named.
func TestRegistryCommands(t *testing.T) {
	t.Parallel()
	s := serve(t)
	file, write := registryFile(t)
	write("id,name\nacme,Acme\n")
	out, _ := s.operate("registry", "import", "--kind", "owner", file, "--dry-run")
	wants(t, "dry run", out, "1 would be created, 0 would be changed, 0 stay")
	s.call(http.StatusNotFound, http.MethodGet, "/api/v1/owners/acme", "")
	out, _ = s.operate("registry", "import", "--kind", "owner", file)
	wants(t, "import", out, "1 created, 0 changed, 0 stay")

	write("id,owner_id,rated_capacity_ah\nb1,acme,40\nb2,acme,35\n")
	if got := operateJSON[api.ImportReport](s, "registry", "import", "--kind", "battery", file); got.Created != 2 || got.DryRun {
		t.Errorf("import: got %+v, want two created", got)
	}
	out, _ = s.operate("registry", "export", "--kind", "battery")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "id,owner_id,") || !strings.HasPrefix(lines[1], "b1,acme,") {
		t.Fatalf("export: got %q", out)
	}
	write(strings.Replace(out, ",40,", ",41,", 1))
	out, _ = s.operate("registry", "import", "--kind", "battery", file)
	wants(t, "import of an export", out, "0 created, 1 changed, 1 stay")
	if got := get[struct {
		Ah float64 `json:"rated_capacity_ah"`
	}](s, "/api/v1/batteries/b1"); got.Ah != 41 {
		t.Errorf("after the import: got %v Ah, want 41", got.Ah)
	}

	write("id,owner_id,rated_capacity_ah\nb3,acme,50\nb4,nobody,much\nb3,acme,1\n")
	for _, flag := range []string{"--dry-run=false", "--dry-run"} {
		s.refuse(file+":3: rated_capacity_ah: want a number", "registry", "import", "--kind", "battery", file, flag)
		s.refuse(file+":4: id: is on line 2 too", "registry", "import", "--kind", "battery", file, flag)
		s.refuse("2 problems in "+file+"; nothing was done", "registry", "import", "--kind", "battery", file, flag)
	}
	s.call(http.StatusNotFound, http.MethodGet, "/api/v1/batteries/b3", "")

	write("id,colour\nb1,red\n")
	s.refuse(file+": ", "registry", "import", "--kind", "battery", file)
	s.refuse(`column "colour" is not known`, "registry", "import", "--kind", "battery", file)
	s.refuse("kind", "registry", "import", "--kind", "robot", file)
	write("")
	s.refuse(file+": request body is required", "registry", "import", "--kind", "battery", file)
	write("id\n" + strings.Repeat("\n", api.MaxUnpacked))
	s.refuse("32 MiB", "registry", "import", "--kind", "battery", file)
	s.refuse("missing.csv", "registry", "import", "--kind", "battery", "missing.csv")
	s.refuse("kind", "registry", "export")
	s.refuse("CSV", "registry", "export", "--kind", "battery", "--json")
}

// An export may be longer than other requests, and can be imported.
func TestRegistryImportOfAWholeFleet(t *testing.T) {
	t.Parallel()
	s := serve(t)
	file, write := registryFile(t)
	var text strings.Builder
	text.WriteString("id,name\n")
	for n := range packFrom / 190 {
		fmt.Fprintf(&text, "o%d,%s\n", n, strings.Repeat("x", 190))
	}
	write(text.String())
	out, _ := s.operate("registry", "import", "--kind", "owner", file)
	wants(t, "import", out, fmt.Sprint(packFrom/190)+" created")
	exported, _ := s.operate("registry", "export", "--kind", "owner")
	if len(exported) <= packFrom {
		t.Fatalf("got an export of %d bytes, want one to pack", len(exported))
	}
	write(exported)
	out, _ = s.operate("registry", "import", "--kind", "owner", file)
	wants(t, "import of the export", out, "0 created, 0 changed, "+fmt.Sprint(packFrom/190)+" stay")
}

// Standard input is a file too.
func TestRegistryImportFromStandardInput(t *testing.T) {
	t.Parallel()
	s := serve(t)
	cmd := command(t, "registry", "import", "--kind", "owner", "-", "--server", s.url, "--api-key", adminKey)
	cmd.Stdin = strings.NewReader("id,name\nacme,Acme\n")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "1 created") {
		t.Errorf("got %v and %q, want one created", err, out)
	}
}
