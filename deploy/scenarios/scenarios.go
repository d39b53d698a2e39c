// Package scenarios holds the simulated fleets that fleetwatt comes with, as
// files that anybody may copy and change. It knows nothing of what is in them.
package scenarios

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// Names are those of the scenarios, in order.
func Names() []string {
	all, _ := fs.Glob(files, "*.yaml") // the pattern is well formed
	for i, name := range all {
		all[i] = strings.TrimSuffix(name, ".yaml")
	}
	return all
}

// Open opens the scenario of a name. An unknown one is an error that lists those
// there are.
func Open(name string) (fs.File, error) {
	f, err := files.Open(name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("no scenario %q: there are %s", name, strings.Join(Names(), ", "))
	}
	return f, nil
}
