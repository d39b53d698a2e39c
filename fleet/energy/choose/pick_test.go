package choose

import "testing"

func TestPick(t *testing.T) {
	score := func(model string, cv, bias float64, parameters, order int, provisional bool) Score {
		return Score{Model: model, CVRMSE: &cv, NMBE: &bias, Parameters: parameters, order: order, Provisional: provisional}
	}
	broken := Score{Model: "broken", Error: "it failed"}
	for _, c := range []struct {
		name   string
		scores []Score
		want   string
	}{
		{"the best", []Score{score("a", 0.10, 0, 9, 1, false), score("b", 0.20, 0, 1, 0, false)}, "a"},
		{"a plainer one as good", []Score{score("a", 0.100, 0, 9, 1, false), score("b", 0.101, 0, 1, 0, false)}, "b"},
		{"a provisional one clearly ahead", []Score{score("p", 0.10, 0, 5, 1, true), score("a", 0.12, 0, 9, 0, false)}, "p"},
		{"a provisional one hardly ahead", []Score{score("p", 0.100, 0, 5, 1, true), score("a", 0.104, 0, 9, 0, false)}, "a"},
		{"a provisional one that is plainer", []Score{score("a", 0.100, 0, 9, 1, false), score("p", 0.101, 0, 1, 0, true)}, "a"},
		{"a biased one behind", []Score{score("a", 0.20, 0, 9, 1, false), score("b", 0.10, 0.2, 1, 0, false)}, "a"},
		{"nothing but broken", []Score{broken}, ""},
		{"nothing", nil, ""},
	} {
		choice := Choice{Scores: c.scores}
		choice.pick()
		if choice.Chosen != c.want || (c.want != "") != (choice.Reason != "") {
			t.Errorf("%s: got %q because %q, want %q", c.name, choice.Chosen, choice.Reason, c.want)
		}
	}
}
