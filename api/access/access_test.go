package access_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
)

func TestRights(t *testing.T) {
	rights := []access.Right{access.Administer, access.Operate, access.Enter, access.Read, access.Self}
	for role, want := range map[access.Role]string{
		access.Admin: "11111", access.Operator: "01111", access.Owner: "00111", access.Viewer: "00011", access.Device: "00011",
		"": "00000", "root": "00000",
	} {
		got := ""
		for _, r := range rights {
			if role.May(r) {
				got += "1"
			} else {
				got += "0"
			}
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", role, got, want)
		}
	}
	if access.Owner.May("something new") {
		t.Error("an unknown right is open to others than administrators")
	}
}

func TestSight(t *testing.T) {
	b := devices.Ref{Kind: devices.KindBattery, ID: "b"}
	other := devices.Ref{Kind: devices.KindStation, ID: "b"}
	for _, tt := range []struct {
		name                  string
		of                    access.Principal
		own, foreign, nobodys bool
		another               bool // device of the same owner
	}{
		{"nobody", access.Principal{}, false, false, false, false},
		{"admin", access.Principal{Role: access.Admin}, true, true, true, true},
		{"operator", access.Principal{Role: access.Operator}, true, true, true, true},
		{"owner", access.Principal{Role: access.Owner, OwnerID: "o"}, true, false, false, true},
		{"owner of nothing", access.Principal{Role: access.Owner}, false, false, false, false},
		{"viewer", access.Principal{Role: access.Viewer, OwnerID: "o"}, true, false, false, true},
		{"viewer of all", access.Principal{Role: access.Viewer}, true, true, true, true},
		{"device", access.Principal{Role: access.Device, Device: b}, true, true, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, c := range []struct {
				what  string
				ref   devices.Ref
				owner string
				want  bool
			}{{"own", b, "o", tt.own}, {"foreign", b, "p", tt.foreign}, {"nobody's", b, "", tt.nobodys}, {"another", other, "o", tt.another}} {
				if got := tt.of.Sees(c.ref, c.owner); got != c.want {
					t.Errorf("%s: got %v, want %v", c.what, got, c.want)
				}
			}
			if tt.of.Role == access.Device && tt.of.SeesOwner("o") {
				t.Error("a device sees an owner")
			}
		})
	}
	if p := access.From(context.Background()); p.SeesAll() || p.Role.May(access.Self) {
		t.Errorf("a context without a caller has %+v", p)
	}
}

func TestValidatePrincipal(t *testing.T) {
	for _, tt := range []struct {
		p  access.Principal
		ok bool
	}{
		{access.Principal{Role: access.Admin}, true},
		{access.Principal{Role: access.Admin, OwnerID: "o"}, false},
		{access.Principal{Role: access.Owner, OwnerID: "o"}, true},
		{access.Principal{Role: access.Owner}, false},
		{access.Principal{Role: access.Viewer}, true},
		{access.Principal{Role: access.Device}, false},
		{access.Principal{}, false},
	} {
		if err := tt.p.Validate(); (err == nil) != tt.ok {
			t.Errorf("%+v: got %v", tt.p, err)
		}
	}
}

func TestKeys(t *testing.T) {
	a, b := access.NewKey(), access.NewKey()
	if a.Text == b.Text || a.Prefix == b.Prefix {
		t.Fatal("two keys are alike")
	}
	if p, err := access.KeyPrefix(a.Text); err != nil || p != a.Prefix || access.Digest(a.Text) != a.Hash {
		t.Errorf("got prefix %q, %v, want %q", p, err, a.Prefix)
	}
	for _, bad := range []string{"", "fwk_", a.Text + "x", a.Text[:len(a.Text)-1], strings.Replace(a.Text, "fwk_", "", 1), "fwk_a_b", "eyJ.a.b"} {
		if _, err := access.KeyPrefix(bad); err == nil {
			t.Errorf("%q passes for a key", bad)
		}
	}
}

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := access.NewLimiter(2, 3)
		allowed := func(name string) (n int) {
			for range 10 {
				if _, ok := l.Allow(name, time.Now()); ok {
					n++
				}
			}
			return n
		}
		if got := allowed("a"); got != 3 {
			t.Errorf("got %d at once, want the burst of 3", got)
		}
		if wait, ok := l.Allow("a", time.Now()); ok || wait <= 0 || wait > 500*time.Millisecond {
			t.Errorf("got a wait of %s, want half a second at most", wait)
		}
		if got := allowed("b"); got != 3 {
			t.Errorf("another caller got %d, want 3", got)
		}
		time.Sleep(time.Second)
		if got := allowed("a"); got != 2 {
			t.Errorf("got %d a second later, want 2", got)
		}
		if wait, ok := access.NewLimiter(0, 0).Allow("a", time.Now()); !ok || wait != 0 {
			t.Error("without a limit there was one")
		}
	})
}
