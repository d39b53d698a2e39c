package report_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/fleetwatt/fleetwatt/fleet/energy/report"
)

// codes are all codes of reasons in the packages of energy: those of a Reason and
// those that Lacking takes, where they are literals or constants of the package.
func codes(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir("..", func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			return err
		}
		constants, used := map[string]string{}, []ast.Expr{}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.ValueSpec:
					for i, v := range n.Values {
						if l, ok := v.(*ast.BasicLit); ok && l.Kind == token.STRING && i < len(n.Names) {
							constants[n.Names[i].Name], _ = strconv.Unquote(l.Value)
						}
					}
				case *ast.KeyValueExpr:
					if k, ok := n.Key.(*ast.Ident); ok && k.Name == "Code" {
						used = append(used, n.Value)
					}
				case *ast.CallExpr:
					if s, ok := n.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Lacking" && len(n.Args) == 3 {
						used = append(used, n.Args[1])
					}
				}
				return true
			})
		}
		for _, e := range used {
			switch e := e.(type) {
			case *ast.BasicLit:
				code, _ := strconv.Unquote(e.Value)
				out[code] = dir
			case *ast.Ident:
				if code, ok := constants[e.Name]; ok {
					out[code] = dir
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Whatever can be wrong, the report says what to do about it.
func TestAdviceForEveryReason(t *testing.T) {
	all := codes(t)
	if len(all) < 40 {
		t.Fatalf("got %d codes, want more: %v", len(all), all)
	}
	for code, dir := range all {
		if a := report.Advice(code); !strings.HasSuffix(a, ".") {
			t.Errorf("%s of %s: got %q, want what to do", code, dir, a)
		}
	}
	if a := report.Advice("no such code"); a != "" {
		t.Errorf("got %q for a code that does not exist", a)
	}
}
