package mqtt

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/fleetwatt/fleetwatt/ingest"
	"github.com/fleetwatt/fleetwatt/ingest/servertest"
)

// runWith is run with options of the test's own.
func runWith(t *testing.T, o Options) *Source {
	t.Helper()
	o.Now, o.MaxReconnect = time.Now, time.Second
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
		s.Close()
	})
	return s
}

// A broker that asks for client certificates is consumed with one, and with
// nothing less; what it sent over TLS is lost by no restart under load.
func TestTLS(t *testing.T) {
	authority, stranger := servertest.NewAuthority(t), servertest.NewAuthority(t)
	m := servertest.StartMosquittoTLS(t, authority)
	cert, key := authority.Issue("fleetwatt")
	otherCert, otherKey := stranger.Issue("fleetwatt")
	tests := []struct {
		name string
		tls  TLSOptions
		ok   bool
	}{
		{"certificate", TLSOptions{CAFile: authority.CAFile, CertFile: cert, KeyFile: key}, true},
		{"no certificate", TLSOptions{CAFile: authority.CAFile}, false},
		{"another authority's certificate", TLSOptions{CAFile: authority.CAFile, CertFile: otherCert, KeyFile: otherKey}, false},
		{"broker of an unknown authority", TLSOptions{CAFile: stranger.CAFile, CertFile: cert, KeyFile: key}, false},
		{"another server's name", TLSOptions{CAFile: authority.CAFile, CertFile: cert, KeyFile: key, ServerName: "mqtt.example.org"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPipe(false)
			s := runWith(t, Options{Broker: m.TLSURL, ClientID: "source", TLS: tt.tls, Submit: p.submit})
			if !tt.ok {
				eventually(t, "refusal", func() bool { return strings.HasPrefix(s.Trouble(), m.TLSURL) })
				return
			}
			subscribed(t, s)
			device(t, m.URL, "dev").Publish(topic, 1, false, "m").WaitTimeout(time.Minute)
			p.wait(t, 1)
		})
	}
}

func TestTLSBrokerRestartsUnderLoad(t *testing.T) {
	authority := servertest.NewAuthority(t)
	m := servertest.StartMosquittoTLS(t, authority)
	cert, key := authority.Issue("fleetwatt")
	p := newPipe(false)
	s := runWith(t, Options{
		Broker: m.TLSURL, ClientID: "source", Submit: p.submit,
		TLS: TLSOptions{CAFile: authority.CAFile, CertFile: cert, KeyFile: key},
	})
	subscribed(t, s)
	dev := device(t, m.URL, "dev")
	restarted := make(chan struct{})
	var acked []string
	for i := range 600 {
		if i == 200 {
			go func() {
				defer close(restarted)
				m.Stop()
				m.Start()
			}()
		}
		payload := fmt.Sprint("m", i)
		if token := dev.Publish(topic, 1, false, payload); token.WaitTimeout(30*time.Second) && token.Error() == nil {
			acked = append(acked, payload)
		}
	}
	<-restarted
	if len(acked) < 500 {
		t.Fatalf("only %d of 600 publishes were acknowledged", len(acked))
	}
	for _, payload := range acked {
		eventually(t, payload, func() bool { return p.count(payload) > 0 })
	}
}

func TestTLSFiles(t *testing.T) {
	authority := servertest.NewAuthority(t)
	cert, key := authority.Issue("a")
	_, otherKey := authority.Issue("b")
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		tls  TLSOptions
		want string
	}{
		{"no such CA", TLSOptions{CAFile: "/nowhere/ca.pem"}, "CA file"},
		{"empty CA", TLSOptions{CAFile: empty}, "no certificate"},
		{"certificate without key", TLSOptions{CertFile: cert}, "go together"},
		{"another's key", TLSOptions{CertFile: cert, KeyFile: otherKey}, "private key does not match"},
		{"no such key", TLSOptions{CertFile: cert, KeyFile: key + "x"}, "no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(Options{Broker: "ssl://x:1", ClientID: "c", TLS: tt.tls, Submit: newPipe(false).submit, Now: time.Now})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}

// passwordFile is mosquitto's: PBKDF2 with SHA-512.
func passwordFile(t *testing.T, user, password string) string {
	t.Helper()
	salt := []byte("twelve bytes")
	hash, err := pbkdf2.Key(sha512.New, password, salt, 101, 64)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "passwords")
	line := fmt.Sprintf("%s:$7$101$%s$%s\n", user, base64.StdEncoding.EncodeToString(salt), base64.StdEncoding.EncodeToString(hash))
	if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUsername(t *testing.T) {
	m := servertest.StartMosquitto(t, "allow_anonymous false", "password_file "+passwordFile(t, "fleetwatt", "right"))
	for password, ok := range map[string]bool{"right": true, "wrong": false} {
		s := runWith(t, Options{
			Broker: m.URL, ClientID: "source-" + password, Username: "fleetwatt", Password: password, Submit: newPipe(false).submit,
		})
		if ok {
			subscribed(t, s)
		} else {
			eventually(t, "refusal", func() bool { return strings.HasPrefix(s.Trouble(), m.URL) })
		}
	}
}

// A broker that answers nothing any more is noticed, and consumed again once it
// does.
func TestSilentBroker(t *testing.T) {
	m := servertest.StartMosquitto(t)
	p := newPipe(false)
	s := runWith(t, Options{Broker: m.URL, ClientID: "source", Submit: p.submit, KeepAlive: time.Second})
	subscribed(t, s)
	m.Freeze()
	eventually(t, "noticed", func() bool { return s.Trouble() != "" })
	m.Thaw()
	subscribed(t, s)
	device(t, m.URL, "dev").Publish(topic, 1, false, "after").WaitTimeout(time.Minute)
	eventually(t, "message", func() bool { return p.count("after") > 0 })
}

// Sparkplug messages go their own way. The host says that it is there on each
// connection, and the broker says so when it is gone.
func TestSparkplug(t *testing.T) {
	m := servertest.StartMosquitto(t)
	fleet, spark := newPipe(false), newPipe(false)
	const state = "spBv1.0/STATE/host"
	var connections atomic.Int64
	var s *Source
	up := make(chan struct{})
	o := Options{
		Broker: m.URL, ClientID: "source", Group: "fleetwatt", Submit: fleet.submit, SubmitSparkplug: spark.submit, KeepAlive: time.Second,
		Will: func() Will {
			return Will{Topic: state, Payload: fmt.Append(nil, "offline ", connections.Add(1)), Retain: true}
		},
		OnUp: func() {
			<-up
			if err := s.Publish(state, fmt.Append(nil, "online ", connections.Load()), true); err != nil {
				t.Errorf("publish: %v", err)
			}
		},
	}
	s = runWith(t, o)
	close(up)
	subscribed(t, s)
	watcher := device(t, m.URL, "watcher")
	states := make(chan string, 10)
	watcher.Subscribe(state, 1, func(_ paho.Client, msg paho.Message) { states <- string(msg.Payload()) }).WaitTimeout(time.Minute)
	next := func(want string) {
		t.Helper()
		select {
		case got := <-states:
			if got != want {
				t.Fatalf("got state %q, want %q", got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("state %q did not come", want)
		}
	}
	next("online 1")
	watcher.Publish("spBv1.0/g/NDATA/n", 0, false, "metrics").WaitTimeout(time.Minute)
	watcher.Publish(topic, 1, false, "reading").WaitTimeout(time.Minute)
	eventually(t, "both", func() bool { return spark.count("metrics") == 1 && fleet.count("reading") == 1 })
	if fleet.count("metrics")+spark.count("reading") != 0 {
		t.Error("a message went the other's way")
	}
	// Another client of the same id: the broker cuts the source's connection, and
	// tells its will; the source comes again, with a new one.
	thief := paho.NewClient(paho.NewClientOptions().AddBroker(m.URL).SetClientID("source").SetAutoReconnect(false))
	thief.Connect().WaitTimeout(time.Minute)
	next("offline 1")
	next("online 2")
}

func TestPublishWithoutConnection(t *testing.T) {
	s, err := New(Options{Broker: "tcp://127.0.0.1:1", ClientID: "c", Now: time.Now, Submit: func(context.Context, ingest.Message) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Publish("x", nil, false); err == nil {
		t.Error("got no error without a connection")
	}
}
