package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// link is the connection of this moment.
type link struct {
	tls     *tls.Config
	closing chan struct{} // closed by Close
	once    sync.Once
	running sync.WaitGroup // the goroutine that connects

	mu     sync.Mutex
	client paho.Client // nil: none is up
}

func (l *link) current() paho.Client {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.client
}

func (l *link) set(c paho.Client) {
	l.mu.Lock()
	l.client = c
	l.mu.Unlock()
}

func (l *link) close() {
	l.once.Do(func() { close(l.closing) })
	l.running.Wait()
}

// connect keeps a connection up until Close. Each is a client of its own: paho's
// reconnect would show the broker the last will of the first one, and what a
// client holds of a lost connection goes with it.
func (s *Source) connect(ctx context.Context) {
	s.link.running.Go(func() {
		pause := firstPause
		for ctx.Err() == nil {
			began := time.Now()
			err := s.serve(ctx)
			if err == nil || errors.Is(err, errClosing) {
				return
			}
			if time.Since(began) > s.opts.MaxReconnect {
				pause = firstPause // it was up
			}
			s.unreachable(err)
			select {
			case <-time.After(pause):
			case <-s.link.closing:
				return
			case <-ctx.Done():
				return
			}
			pause = min(2*pause, s.opts.MaxReconnect)
		}
	})
}

// firstPause is that before the second try to connect; it doubles with each.
const firstPause = 100 * time.Millisecond

// serve is one connection from its CONNECT to its end: nil when the source is
// closed, otherwise why. It outlives ctx, for the acknowledgements still due.
func (s *Source) serve(ctx context.Context) error {
	lost := make(chan error, 1)
	alive, gone := context.WithCancel(ctx)
	defer gone()
	c := paho.NewClient(s.clientOptions(alive, lost))
	token := c.Connect()
	defer c.Disconnect(250)
	err := s.link.wait(token, 2*answerTimeout)
	if err == nil {
		err = s.subscribe(c)
	}
	if err != nil {
		return err
	}
	s.link.set(c)
	defer s.link.set(nil)
	s.note("")
	s.opts.Logger.Info("consuming the MQTT broker", "broker", s.opts.Broker, "filters", strings.Join(s.filters, " "))
	if s.opts.OnUp != nil {
		s.opts.OnUp()
	}
	select {
	case err := <-lost:
		return fmt.Errorf("connection lost: %w", err)
	case <-s.link.closing:
		// paho may write its DISCONNECT before acknowledgements that it has taken.
		// A question to the broker, and its answer, let these go first.
		c.Unsubscribe(nowhere).WaitTimeout(time.Second)
		return nil
	}
}

// nowhere is a filter that nobody has subscribed to.
const nowhere = "fleetwatt/nowhere"

var (
	errNoAnswer = errors.New("no answer")
	errClosing  = errors.New("the source is closed")
)

// wait is for what the broker answers to; it ends with the source, too.
func (l *link) wait(token paho.Token, limit time.Duration) error {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-token.Done():
		return token.Error()
	case <-t.C:
		return errNoAnswer
	case <-l.closing:
		return errClosing
	}
}

// clientOptions are paho's, set so that nothing is acknowledged by paho itself,
// and nothing is forgotten by the broker. A broker that does not answer within
// the keep-alive and half of it counts as lost.
func (s *Source) clientOptions(ctx context.Context, lost chan<- error) *paho.ClientOptions {
	o := paho.NewClientOptions().
		AddBroker(s.opts.Broker).
		SetClientID(s.opts.ClientID).
		SetUsername(s.opts.Username).
		SetPassword(s.opts.Password).
		SetTLSConfig(s.link.tls).
		SetCleanSession(false).
		SetAutoAckDisabled(true).
		SetOrderMatters(true).
		SetAutoReconnect(false).
		SetConnectRetry(false).
		SetConnectTimeout(answerTimeout).
		SetKeepAlive(s.opts.KeepAlive).
		SetPingTimeout(max(time.Second, s.opts.KeepAlive/2)).
		SetWriteTimeout(30 * time.Second).
		// All messages come here, also those of the kept session that arrive
		// before the subscription is confirmed.
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { s.receive(ctx, m) }).
		SetConnectionLostHandler(func(_ paho.Client, err error) { lost <- err })
	if s.opts.Will != nil {
		w := s.opts.Will()
		o.SetBinaryWill(w.Topic, w.Payload, 1, w.Retain)
	}
	return o
}

// unreachable tells why there is no connection: at once where it is something
// new, otherwise only in Trouble.
func (s *Source) unreachable(err error) {
	what := s.opts.Broker + ": " + err.Error()
	if s.Trouble() == what {
		return
	}
	s.note(what)
	s.opts.Logger.Warn("no connection to the MQTT broker; trying on (is it running, are user name, password and certificates right, and does no other client use the same client id?)",
		"broker", s.opts.Broker, "client_id", s.opts.ClientID, "err", err)
}

// subscribe asks for all filters anew: the broker may have lost its session.
func (s *Source) subscribe(c paho.Client) error {
	for _, filter := range s.filters {
		token := c.Subscribe(filter, 1, nil)
		if err := s.link.wait(token, answerTimeout); err != nil {
			return fmt.Errorf("subscribe to %s: %w", filter, err)
		}
		if st, ok := token.(*paho.SubscribeToken); ok && st.Result()[filter] > 2 {
			return fmt.Errorf("subscribe to %s: the broker refused; check what this user may read", filter)
		}
	}
	return nil
}
