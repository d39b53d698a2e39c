package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
)

// formats are the forms in which an operation answers, as query parameters.
func formats(op specified) []string {
	forms := []string{""}
	for _, p := range op.Parameters {
		if p.In != "query" || p.Name != "format" {
			continue
		}
		for _, f := range p.Schema["enum"].([]any) {
			forms = append(forms, "format="+f.(string))
		}
	}
	return forms
}

// target is a request of an operation for what an owner has.
func (x *tenants) target(path, owner string, op specified, query string) string {
	filled, _ := x.fill(path, owner)
	all := strings.TrimPrefix(strings.ReplaceAll(queries[op.OperationID], "OWNER", owner), "?")
	if query != "" {
		all = strings.Trim(all+"&"+query, "&")
	}
	if all != "" {
		filled += "?" + all
	}
	return filled
}

// reads calls f with every operation that reads, but for the stream and the caller
// itself.
func (x *tenants) reads(f func(path string, op specified)) {
	x.document().each(func(method, path string, op specified) {
		if method == http.MethodGet && strings.HasPrefix(path, prefix) && op.OperationID != "stream" && op.OperationID != "get-me" {
			f(path, op)
		}
	})
}

// without takes an owner's name and entries out of a text.
func (x *tenants) without(text, owner string) string {
	text = strings.ReplaceAll(text, owner, "SOMEBODY")
	text = strings.ReplaceAll(text, url.QueryEscape(owner), "SOMEBODY")
	if !strings.HasPrefix(text, "{") {
		return text // a page or table, which has none, but may have such numbers
	}
	for _, id := range append(slices.Clone(entriesOf(x, owner)), "777777") {
		text = regexp.MustCompile("/"+id+`\b`).ReplaceAllString(text, "/ENTRY")
		text = strings.ReplaceAll(text, `"`+id+`"`, `"ENTRY"`)
		text = strings.ReplaceAll(text, " "+id+":", " ENTRY:")
	}
	return text
}

func entriesOf(x *tenants, owner string) []string {
	e := x.entries[owner]
	return slices.DeleteFunc(e[:], func(id string) bool { return id == "" })
}

// What bravo is answered is the same, to the byte, whether or not alpha exists:
// every operation that reads, in every format, with its headers but for the date.
func TestAnotherOwnerChangesNothing(t *testing.T) {
	both, alone := startTenants(t, alpha, bravo), startTenants(t, bravo)
	keyOf := func(x *tenants, role string) string {
		key, _ := x.key(`{"name":"x","role":"` + role + `","owner_id":"bravo9c2-owner"}`)
		return key
	}
	n, full := 0, 0
	for _, role := range []string{"owner", "viewer"} {
		keyBoth, keyAlone := keyOf(both, role), keyOf(alone, role)
		both.reads(func(path string, op specified) {
			for _, form := range formats(op) {
				at, there := both.target(path, bravo, op, form), alone.target(path, bravo, op, form)
				got, want := both.ask(keyBoth, http.MethodGet, at, ""), alone.ask(keyAlone, http.MethodGet, there, "")
				n++
				if strings.Contains(got.body, alpha) {
					t.Errorf("%s: %s tells of the other owner: %.500s", role, at, got.body)
				}
				if got.status != want.status || !sameAnswer(both, alone, got.body, want.body) {
					t.Errorf("%s: %s: with the other owner %d\n%.600s\nwithout %d\n%.600s", role, at, got.status, got.body, want.status, want.body)
				}
				if g, w := got.header.Get("Content-Type"), want.header.Get("Content-Type"); g != w {
					t.Errorf("%s: %s: got %s, want %s", role, at, g, w)
				}
				if admin := both.get(at); strings.Contains(admin.body, alpha) {
					full++ // so that there was something to be left out
				}
			}
		})
	}
	t.Logf("%d answers; the administrator's told of the other owner in %d", n, full)
	if full < 20 {
		t.Errorf("only %d answers had something to leave out", full)
	}
}

// sameAnswer compares the answers of two servers, whose numbers of entries and
// revisions are not the same.
func sameAnswer(both, alone *tenants, got, want string) bool {
	return steady(both.without(got, bravo)) == steady(alone.without(want, bravo))
}

// steady leaves out of JSON what counts changes of the whole ledger.
func steady(body string) string {
	var v any
	if json.Unmarshal([]byte(body), &v) != nil {
		return body
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			delete(v, "revision")
			for _, child := range v {
				walk(child)
			}
		case []any:
			for _, child := range v {
				walk(child)
			}
		}
	}
	walk(v)
	b, _ := json.Marshal(v) // of what was JSON
	return string(b)
}

// What bravo asks for of alpha's is answered in the very words of what does not
// exist, with HEAD, with alpha's entity tags, and changed as little.
func TestForeignIsAsIfItWereNot(t *testing.T) {
	x := startTenants(t, alpha, bravo)
	keys := map[string]string{}
	for who, body := range map[string]string{
		"owner":  `{"name":"b","role":"owner","owner_id":"bravo9c2-owner"}`,
		"viewer": `{"name":"b","role":"viewer","owner_id":"bravo9c2-owner"}`,
		"device": `{"name":"b","role":"device","device":"battery/bravo9c2-battery"}`,
	} {
		keys[who], _ = x.key(body)
	}
	n := 0
	x.document().each(func(method, path string, op specified) {
		if _, owned := x.fill(path, alpha); !owned {
			return
		}
		body := bodies[op.OperationID]
		if body == "" && op.RequestBody != nil {
			body = "{}"
		}
		for who, key := range keys {
			theirs, nobodys := x.target(path, alpha, op, ""), x.target(path, ghost, op, "")
			tag := x.get(theirs).header.Get("ETag")
			for _, with := range []string{"", "If-None-Match", "If-Match"} {
				var more []string
				if with != "" {
					more = []string{with, tag + `, *`}
				}
				got, want := x.ask(key, method, theirs, body, more...), x.ask(key, method, nobodys, body, more...)
				n++
				if got.status != want.status || x.without(got.body, alpha) != x.without(want.body, ghost) || got.status < 400 {
					t.Errorf("%s: %s %s %s: got %d %s, of nothing %d %s", who, method, theirs, with, got.status, got.body, want.status, want.body)
				}
				if got.header.Get("ETag") != "" || got.header.Get("Location") != "" || got.header.Get("Last-Modified") != "" {
					t.Errorf("%s: %s %s: headers %v", who, method, theirs, got.header)
				}
			}
			if method == http.MethodGet {
				got, want := x.ask(key, http.MethodHead, theirs, ""), x.ask(key, http.MethodHead, nobodys, "")
				if got.status != want.status || got.status < 400 || len(got.header.Get("Content-Length")) != len(want.header.Get("Content-Length")) {
					t.Errorf("%s: HEAD %s: got %d %v, want %d %v", who, theirs, got.status, got.header, want.status, want.header)
				}
			}
		}
	})
	// Of the own building, an entry of the other's.
	for path, id := range map[string]string{"interventions": x.entries[alpha][0], "adjustments": x.entries[alpha][1]} {
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			refused(t, x.ask(keys["owner"], method, prefix+"/buildings/bravo9c2-building/"+path+"/"+id, ""), http.StatusNotFound)
		}
	}
	t.Logf("%d answers", n)
}

// A filter by what is another's finds what a filter by nothing finds.
func TestForeignFilters(t *testing.T) {
	x := startTenants(t, alpha, bravo)
	key, _ := x.key(`{"name":"b","role":"owner","owner_id":"bravo9c2-owner"}`)
	kinds := []string{"owner", "site", "station", "battery", "building"}
	n := 0
	x.reads(func(path string, op specified) {
		for _, p := range op.Parameters {
			if p.In != "query" || p.Schema["enum"] != nil || p.Schema["format"] != nil || strings.HasPrefix(path, prefix+"/keys") {
				continue
			}
			for _, kind := range kinds {
				for _, form := range []string{"%s-%s", kind + "/%s-%s"} {
					ask := func(owner string) answer {
						return x.ask(key, http.MethodGet, x.target(path, bravo, op, url.Values{p.Name: {fmt.Sprintf(form, owner, kind)}}.Encode()), "")
					}
					got, want := ask(alpha), ask(ghost)
					n++
					if got.status != want.status || x.without(got.body, alpha) != x.without(want.body, ghost) {
						t.Errorf("%s?%s of a %s: got %d %.400s, of nothing %d %.400s", path, p.Name, kind, got.status, got.body, want.status, want.body)
					}
				}
			}
		}
	})
	t.Logf("%d filters", n)
}

// An entity tag of alpha's answer spares bravo nothing, and an idempotency key of
// alpha's is nobody's when bravo uses it.
func TestNothingIsRememberedForAnother(t *testing.T) {
	x := startTenants(t, alpha, bravo)
	a, _ := x.key(`{"name":"same name","role":"owner","owner_id":"alpha7f3-owner"}`)
	b, _ := x.key(`{"name":"same name","role":"owner","owner_id":"bravo9c2-owner"}`)
	n := 0
	x.reads(func(path string, op specified) {
		if strings.Contains(path, "{") {
			return
		}
		at := x.target(path, alpha, op, "")
		theirs, own := x.ask(a, http.MethodGet, at, ""), x.ask(b, http.MethodGet, at, "")
		if theirs.status != http.StatusOK || theirs.body == own.body {
			return // not of anybody
		}
		n++
		if again := x.ask(b, http.MethodGet, at, "", "If-None-Match", theirs.header.Get("ETag")); again.status == http.StatusNotModified || again.body != own.body {
			t.Errorf("%s: with the other's tag: got %d", at, again.status)
		}
		if vary := own.header.Get("Vary"); own.status == http.StatusOK && (!strings.Contains(vary, "Authorization") || !strings.Contains(own.header.Get("Cache-Control"), "private")) {
			t.Errorf("%s: Vary %q, Cache-Control %q", at, vary, own.header.Get("Cache-Control"))
		}
	})
	if n < 10 {
		t.Errorf("only %d answers differ between owners", n)
	}

	at := prefix + "/buildings/alpha7f3-building/interventions"
	first := x.ask(a, http.MethodPost, at, intervention, "Idempotency-Key", "one")
	if first.status != http.StatusCreated {
		t.Fatalf("got %d %s", first.status, first.body)
	}
	if again := x.ask(a, http.MethodPost, at, intervention, "Idempotency-Key", "one"); again.body != first.body || again.header.Get(headerReplayed) == "" {
		t.Errorf("its own, again: got %d %s", again.status, again.body)
	}
	for name, key := range map[string]string{"another owner": b, "nobody": "", "the administrator": testKey} {
		got := x.ask(key, http.MethodPost, at, intervention, "Idempotency-Key", "one")
		if got.header.Get(headerReplayed) != "" || got.body == first.body {
			t.Errorf("%s got the answer of another: %d %s", name, got.status, got.body)
		}
		if key == b {
			refused(t, got, http.StatusNotFound)
		}
	}
}

// The stream of bravo has nothing of alpha's, not even when it goes on from an
// event of alpha's.
func TestStreamOfAnotherOwner(t *testing.T) {
	x := startTenants(t, alpha, bravo)
	keys := map[string]string{}
	for owner, body := range map[string]string{
		alpha: `{"name":"a","role":"owner","owner_id":"alpha7f3-owner"}`, bravo: `{"name":"b","role":"viewer","owner_id":"bravo9c2-owner"}`,
	} {
		keys[owner], _ = x.key(body)
	}
	device, _ := x.key(`{"name":"d","role":"device","device":"battery/bravo9c2-battery"}`)
	theirs, own, itself := x.openAs(keys[alpha], "", ""), x.openAs(keys[bravo], "", ""), x.openAs(device, "", "")
	asked := x.openAs(keys[bravo], "?devices=alpha7f3-battery,bravo9c2-battery&kind=battery", "")
	say := func(owner string, soc float64) {
		x.observe(x.live, owner+"-battery", soc)
		for _, ref := range refsOf(owner) {
			x.live.Observe(ref, 0, &wire.Decoded{Events: []telemetry.Event{{Kind: ref.Kind, Device: ref.ID, ID: owner + "-e", TS: 3000, Type: "note", Data: []byte(`{"battery_in":"alpha7f3-battery"}`)}}})
		}
	}
	say(alpha, 11)
	say(bravo, 22)
	say(alpha, 33)
	say(bravo, 44)
	const each = 4 // a reading and three events
	first := theirs()
	for k := 1; k < 2*each; k++ {
		if h := theirs(); !strings.Contains(h.data, alpha) {
			t.Errorf("alpha hears %+v", h)
		}
	}
	hear := func(who string, next func() heard, n int) {
		t.Helper()
		for range n {
			if h := next(); strings.Contains(h.data+h.id+h.event, alpha) || !strings.Contains(h.data, bravo) {
				t.Errorf("%s hears %+v", who, h)
			}
		}
	}
	hear("bravo", own, 2*each)
	hear("bravo, asking for alpha's", asked, 2*2)
	hear("a device of bravo", itself, 2*2)
	// Going on from an event that it never got.
	hear("bravo from alpha's first", x.openAs(keys[bravo], "", first.id), 2*each)
}
