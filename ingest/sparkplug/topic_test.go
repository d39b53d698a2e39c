package sparkplug

import (
	"errors"
	"strings"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices/wire"
)

func TestTopics(t *testing.T) {
	for _, tc := range []struct {
		topic string
		want  Topic
		bad   bool
	}{
		{topic: "spBv1.0/g/NBIRTH/n", want: Topic{Verb: NBirth, Group: "g", Node: "n"}},
		{topic: "spBv1.0/g/NDATA/n", want: Topic{Verb: NData, Group: "g", Node: "n"}},
		{topic: "spBv1.0/g/NDEATH/n", want: Topic{Verb: NDeath, Group: "g", Node: "n"}},
		{topic: "spBv1.0/g/NCMD/n", want: Topic{Verb: NCmd, Group: "g", Node: "n"}},
		{topic: "spBv1.0/g/DBIRTH/n/d", want: Topic{Verb: DBirth, Group: "g", Node: "n", Device: "d"}},
		{topic: "spBv1.0/g/DDATA/n/d", want: Topic{Verb: DData, Group: "g", Node: "n", Device: "d"}},
		{topic: "spBv1.0/g/DDEATH/n/d", want: Topic{Verb: DDeath, Group: "g", Node: "n", Device: "d"}},
		{topic: "spBv1.0/g/DCMD/n/d", want: Topic{Verb: DCmd, Group: "g", Node: "n", Device: "d"}},
		{topic: "spBv1.0/STATE/h", want: Topic{Verb: State, Host: "h"}},
		{topic: "spBv1.0/Gruppe ä/NDATA/ 1:2.3_-", want: Topic{Verb: NData, Group: "Gruppe ä", Node: " 1:2.3_-"}},
		{topic: "spAv1.0/g/NDATA/n", bad: true},
		{topic: "spBv1.0", bad: true},
		{topic: "spBv1.0/g", bad: true},
		{topic: "spBv1.0/g/NDATA", bad: true},
		{topic: "spBv1.0/g/NDATA/n/d", bad: true},
		{topic: "spBv1.0/g/DDATA/n", bad: true},
		{topic: "spBv1.0/g/DDATA/n/d/e", bad: true},
		{topic: "spBv1.0/g/ndata/n", bad: true},
		{topic: "spBv1.0/g/NSTATE/n", bad: true},
		{topic: "spBv1.0/g/STATE/n", bad: true},
		{topic: "spBv1.0/STATE/h/x", bad: true},
		{topic: "spBv1.0/STATE/", bad: true},
		{topic: "spBv1.0//NDATA/n", bad: true},
		{topic: "spBv1.0/g/NDATA/", bad: true},
		{topic: "spBv1.0/g/NDATA/n+", bad: true},
		{topic: "spBv1.0/#/NDATA/n", bad: true},
		{topic: "spBv1.0/g\xff/NDATA/n", bad: true},
		{topic: "spBv1.0/" + strings.Repeat("g", 1025) + "/NDATA/n", bad: true},
	} {
		got, err := ParseTopic(tc.topic)
		switch {
		case tc.bad && !errors.Is(err, ErrTopic):
			t.Errorf("%.60q: got %v, %v want ErrTopic", tc.topic, got, err)
		case !tc.bad && (err != nil || got != tc.want):
			t.Errorf("%q: got %+v, %v want %+v", tc.topic, got, err, tc.want)
		case !tc.bad && got.String() != tc.topic:
			t.Errorf("%q: prints as %q", tc.topic, got)
		}
	}
}

func TestForeignTopicIsQuarantined(t *testing.T) {
	r := newRig(t)
	r.raw("spBv1.0/g/WHAT/n", []byte("x"))
	r.wantReasons(wire.ReasonUnknownTopic)
	if got := string(r.faults()[0].Raw); got != "x" {
		t.Errorf("raw: got %q want x", got)
	}
}
