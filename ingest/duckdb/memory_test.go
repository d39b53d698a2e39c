package duckdb

import "testing"

func TestEngineMemory(t *testing.T) {
	tests := []struct {
		limit, want string
		fails       bool
	}{
		{limit: "1GB", want: "0.5GB"},
		{limit: "384MB", want: "192MB"},
		{limit: "1.5 GiB", want: "0.75 GiB"},
		{limit: "129MiB", want: "64.5MiB"},
		{limit: "many", fails: true},
		{limit: "1000", fails: true},
		{limit: "", fails: true},
	}
	for _, tt := range tests {
		got, err := engineMemory(tt.limit)
		if got != tt.want || (err != nil) != tt.fails {
			t.Errorf("%q: got %q, error %v, want %q", tt.limit, got, err, tt.want)
		}
	}
}
