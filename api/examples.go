package api

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// example is a request of an operation and what it was answered, each of which
// may be absent.
type example struct {
	Request json.RawMessage `json:"request,omitempty"`
	Answer  json.RawMessage `json:"answer,omitempty"`
}

// examples are by the id of the operation. Those of operations that this server
// does not have do no harm.
func examples() (map[string]example, error) {
	file, err := docsFiles.ReadFile("docs/examples.json")
	if err != nil {
		return nil, fmt.Errorf("read examples: %w", err)
	}
	var all map[string]example
	if err := json.Unmarshal(file, &all); err != nil {
		return nil, fmt.Errorf("read examples: %w", err)
	}
	return all, nil
}

// exemplify puts the examples into the document.
func exemplify(doc *huma.OpenAPI) error {
	all, err := examples()
	if err != nil {
		return err
	}
	for _, path := range doc.Paths {
		for _, op := range []*huma.Operation{path.Get, path.Post, path.Put, path.Patch, path.Delete} {
			if op == nil {
				continue
			}
			of := all[op.OperationID]
			if op.RequestBody != nil {
				setExample(op.RequestBody.Content, of.Request)
			}
			for status, r := range op.Responses {
				if strings.HasPrefix(status, "2") {
					setExample(r.Content, of.Answer)
				}
			}
		}
	}
	return nil
}

func setExample(content map[string]*huma.MediaType, e json.RawMessage) {
	if m := content["application/json"]; m != nil && e != nil {
		m.Example = e
	}
}
