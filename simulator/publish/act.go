package publish

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/simulator/faults"
)

// Do carries out what the faults of a fleet ask for. A message is sent under the
// terms of Publish. A connection that is to be cut loses what was not
// acknowledged and sends it again; one that was never opened is left alone. A
// sign-in with a wrong password waits for the broker's answer and is counted,
// whatever that is. The action's bytes are not changed and must not change.
func (f *Fleet) Do(ctx context.Context, a faults.Action) error {
	switch a.Act {
	case faults.Send:
		m := &a.Message
		return f.send(ctx, &message{
			ref: a.Ref, channel: m.Channel, payload: m.Payload, records: m.Records, stamps: m.Stamps, events: m.Events, refused: m.Refused,
		})
	case faults.Cut:
		return f.cutOff(a.Ref)
	case faults.Intrude:
		return f.intrude(ctx, a.Ref)
	}
	return nil
}

// cutOff breaks the connection of a device, which others may share.
func (f *Fleet) cutOff(ref devices.Ref) error {
	c, err := f.connection(ref)
	if err != nil {
		return err
	}
	f.mu.Lock()
	running := c.running
	f.mu.Unlock()
	if !running {
		return nil
	}
	select {
	case c.cut <- struct{}{}:
	default: // it is about to be cut already
	}
	return nil
}

// intrude tries to sign in as a device with a wrong password.
func (f *Fleet) intrude(ctx context.Context, ref devices.Ref) error {
	ctx, stop := f.untilClosed(ctx)
	defer stop()
	select {
	case f.dialing <- struct{}{}:
		defer func() { <-f.dialing }()
	case <-ctx.Done():
		return f.reason(ctx.Err())
	}
	user, password := f.opts.Credentials(ref)
	if user == "" {
		user = ref.ID
	}
	o := paho.NewClientOptions().
		AddBroker(f.opts.Broker).
		SetClientID(fmt.Sprintf("%s-intruder-%s-%s", f.opts.ClientPrefix, ref.Kind, ref.ID)).
		SetUsername(user).
		SetPassword("not " + password).
		SetProtocolVersion(4).
		SetAutoReconnect(false).
		SetConnectRetry(false).
		SetConnectTimeout(connectTimeout).
		SetCustomOpenConnectionFn(func(u *url.URL, _ paho.ClientOptions) (net.Conn, error) {
			d := net.Dialer{Timeout: connectTimeout}
			return d.DialContext(ctx, "tcp", u.Host)
		})
	client := paho.NewClient(o)
	token := client.Connect()
	select {
	case <-token.Done():
	case <-ctx.Done():
		client.Disconnect(0)
		return f.reason(ctx.Err())
	}
	switch err := token.Error(); {
	case err == nil:
		f.counts.letIn.Add(1)
	case errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword), errors.Is(err, packets.ErrorRefusedNotAuthorised):
		f.counts.refused.Add(1)
	default:
		// The broker was not there: nothing was tried.
		f.opts.Logger.Debug("sign in with a wrong password", "err", err)
	}
	client.Disconnect(0)
	return nil
}

// spreadParts is how many parts Spread cuts its time into.
const spreadParts = 50

// Spread does actions evenly over a time, so that devices that measure together
// don't all send at the same moment.
func (f *Fleet) Spread(ctx context.Context, actions []faults.Action, over time.Duration) error {
	began := time.Now()
	for part := range spreadParts {
		from, to := len(actions)*part/spreadParts, len(actions)*(part+1)/spreadParts
		for _, a := range actions[from:to] {
			if err := f.Do(ctx, a); err != nil {
				return err
			}
		}
		next := began.Add(over * time.Duration(part+1) / spreadParts)
		if from < to && to < len(actions) && !pause(ctx, time.Until(next)) {
			return ctx.Err()
		}
	}
	return nil
}
