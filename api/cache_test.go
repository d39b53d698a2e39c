package api

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestAnswersAreValidated(t *testing.T) {
	s := start(t)
	s.do(http.MethodPost, prefix+"/owners", `{"id":"o1","name":"One"}`)
	ask := func(header map[string]string) answer {
		header["Authorization"] = "Bearer " + testKey
		return s.send(http.MethodGet, prefix+"/owners", "", header)
	}
	first := ask(map[string]string{})
	tag := first.header.Get("ETag")
	if !strings.HasPrefix(tag, `"`) || first.header.Get("Cache-Control") != "private, no-cache" {
		t.Fatalf("got ETag %s, Cache-Control %s", tag, first.header.Get("Cache-Control"))
	}
	for _, test := range []struct {
		name, match string
		want        int
	}{
		{"the same", tag, http.StatusNotModified},
		{"one of many, weak", `"other", W/` + tag, http.StatusNotModified},
		{"any", "*", http.StatusNotModified},
		{"another", `"other"`, http.StatusOK},
		{"empty", "", http.StatusOK},
	} {
		a := ask(map[string]string{"If-None-Match": test.match})
		if a.status != test.want || (a.status == http.StatusNotModified) != (a.body == "") || a.header.Get("ETag") != tag {
			t.Errorf("%s: got %d %q %s, want %d", test.name, a.status, a.body, a.header.Get("ETag"), test.want)
		}
	}
	head := s.do(http.MethodHead, prefix+"/owners", "")
	if head.header.Get("ETag") != tag || head.body != "" {
		t.Errorf("HEAD: got ETag %s, want %s", head.header.Get("ETag"), tag)
	}
	s.do(http.MethodPost, prefix+"/owners", `{"id":"o2","name":"Two"}`)
	if a := ask(map[string]string{"If-None-Match": tag}); a.status != http.StatusOK || a.header.Get("ETag") == tag {
		t.Errorf("after a change: got %d %s", a.status, a.header.Get("ETag"))
	}
	if a := s.get(prefix + "/owners/none"); a.header.Get("ETag") != "" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("an error: got ETag %s, Cache-Control %s", a.header.Get("ETag"), a.header.Get("Cache-Control"))
	}
}

func TestLongAnswersArePacked(t *testing.T) {
	s := start(t)
	plain := s.send(http.MethodGet, "/openapi.json", "", map[string]string{"Accept-Encoding": "identity"})
	packed := s.send(http.MethodGet, "/openapi.json", "", map[string]string{"Accept-Encoding": "br, gzip"})
	if packed.header.Get("Content-Encoding") != "gzip" || plain.header.Get("Content-Encoding") != "" {
		t.Fatalf("got %q and %q", packed.header.Get("Content-Encoding"), plain.header.Get("Content-Encoding"))
	}
	r, err := gzip.NewReader(bytes.NewReader([]byte(packed.body)))
	if err != nil {
		t.Fatal(err)
	}
	if whole, err := io.ReadAll(r); err != nil || string(whole) != plain.body {
		t.Errorf("unpacked it is another: %v", err)
	}
	if p, q := plain.header.Get("ETag"), packed.header.Get("ETag"); p == q || !strings.HasPrefix(q, strings.TrimSuffix(p, `"`)) {
		t.Errorf("tags: got %s and %s, want them kin and different", p, q)
	}
	again := s.send(http.MethodGet, "/openapi.json", "", map[string]string{"Accept-Encoding": "gzip", "If-None-Match": plain.header.Get("ETag")})
	if again.status != http.StatusNotModified || !strings.Contains(again.header.Get("Vary"), "Accept-Encoding") {
		t.Errorf("got %d, Vary %s", again.status, again.header.Get("Vary"))
	}
}
