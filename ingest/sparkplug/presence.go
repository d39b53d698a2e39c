package sparkplug

import (
	"encoding/json"
	"strconv"
	"sync"
	"time"
)

// presence is the host's STATE towards one MQTT server. The will of a
// connection and the birth that follows carry one timestamp; the death before a
// disconnect carries its own.
type presence struct {
	topic string

	mu        sync.Mutex
	timestamp int64 // of the present connection's will, Unix ms
	online    bool  // the birth was published, and no death since
}

// will begins a connection.
func (p *presence) will(now time.Time) Publication {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timestamp, p.online = now.UnixMilli(), false
	return p.certificate(false, p.timestamp)
}

func (p *presence) birth() Publication {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.online = true
	return p.certificate(true, p.timestamp)
}

func (p *presence) death(now time.Time) Publication {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.online = false
	return p.certificate(false, now.UnixMilli())
}

func (p *presence) lost() {
	p.mu.Lock()
	p.online = false
	p.mu.Unlock()
}

// answer is what to publish after a STATE message of the host's own id was
// delivered: nothing, or the birth again where somebody said that the host is
// offline while it is not.
func (p *presence) answer(payload []byte) (_ Publication, needed bool) {
	var state struct {
		Online *bool `json:"online"`
	}
	if json.Unmarshal(payload, &state) != nil || state.Online == nil || *state.Online {
		return Publication{}, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.online {
		return Publication{}, false
	}
	return p.certificate(true, p.timestamp), true
}

func (p *presence) certificate(online bool, timestamp int64) Publication {
	b := append([]byte(nil), `{"online":`...)
	b = strconv.AppendBool(b, online)
	b = append(b, `,"timestamp":`...)
	b = strconv.AppendInt(b, timestamp, 10)
	return Publication{Topic: p.topic, Payload: append(b, '}'), QoS: 1, Retain: true}
}
