package report

import (
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fleetwatt/fleetwatt/fleet/energy/savings"
)

// The tones of a verdict.
const (
	toneOK    = "ok"
	toneDoubt = "doubt"
	toneBad   = "bad"
)

// judge says first what the number is worth.
func (s *section) judge(m Meter) {
	a := m.Assessment
	s.Concerns = concerns(a.Verdict.Reasons)
	if m.Cost != nil {
		s.Concerns = append(s.Concerns, concerns(m.Cost.Warnings)...)
	}
	v := a.Avoided
	switch {
	case !a.Verdict.Sufficient || v == nil:
		s.Tone, s.Verdict = toneBad, "No saving can be stated"
		s.Worth = append(s.Worth, "The data does not carry one. What is missing, and what to do, is named below.")
		return
	case !v.Significant:
		s.Tone, s.Verdict = toneDoubt, "No saving can be told from the noise"
		s.Worth = append(s.Worth, s.within(v))
	case v.Saving < 0:
		s.Tone, s.Verdict = toneBad, fmt.Sprintf("The building uses more than before: %s %s", amount(-v.Saving).Text, s.Unit)
		s.Worth = append(s.Worth, s.certain(v))
	default:
		s.Tone, s.Verdict = toneOK, fmt.Sprintf("The building saves %s %s", amount(v.Saving).Text, s.Unit)
		s.Worth = append(s.Worth, s.certain(v))
	}
	s.Worth = append(s.Worth, "The saving is that of "+period(v.Reporting, nil)+".")
	if len(s.Concerns) > 0 && s.Tone == toneOK {
		s.Tone = toneDoubt
		s.Verdict += ", with reservations"
	}
	s.Worth = append(s.Worth, s.standard(v)...)
	s.Worth = append(s.Worth, expected(m, v)...)
}

// within says why a saving is not significant.
func (s *section) within(v *savings.Avoided) string {
	plus := halfWidth(v)
	if plus == nil {
		return fmt.Sprintf("The difference to the baseline is %s %s, but how sure it is cannot be said.", amount(v.Saving).Text, s.Unit)
	}
	pair := alike(&v.Saving, plus)
	return fmt.Sprintf("The difference to the baseline is %s %s, and at %s confidence it may be off by %s %s: it may as well be none.",
		pair[0].Text, s.Unit, confidence(v), pair[1].Text, s.Unit)
}

// certain says how sure a saving is.
func (s *section) certain(v *savings.Avoided) string {
	plus := halfWidth(v)
	low, high := v.Saving-*plus, v.Saving+*plus
	ends := alike(&low, &high)
	return fmt.Sprintf("At %s confidence the truth lies between %s and %s %s.", confidence(v), ends[0].Text, ends[1].Text, s.Unit)
}

func confidence(v *savings.Avoided) string {
	if v.Uncertainty == nil {
		return none
	}
	return decimals(100*v.Uncertainty.Confidence, 0) + " %"
}

// standard says how the baseline stands to Guideline 14.
func (s *section) standard(v *savings.Avoided) []string {
	var failed []string
	for _, c := range v.Guideline14 {
		if !c.Pass {
			failed = append(failed, criterion(c.Name))
		}
	}
	if len(failed) == 0 {
		return []string{"The baseline meets every limit of ASHRAE Guideline 14."}
	}
	return []string{"Of the limits of ASHRAE Guideline 14 it does not meet: " + strings.Join(failed, ", ") + "."}
}

// expected sets the saving beside what the measure was to save.
func expected(m Meter, v *savings.Avoided) []string {
	if m.Measure.Expected == nil || v.Fraction == nil {
		return nil
	}
	plus := halfWidth(v)
	if plus == nil || v.Baseline == 0 {
		return nil
	}
	half := *plus / math.Abs(v.Baseline)
	text := fmt.Sprintf("The measure was to save %s; it saves %s.", percent(*m.Measure.Expected).Text, percent(*v.Fraction).Text)
	if math.Abs(*v.Fraction-*m.Measure.Expected) <= half {
		text = fmt.Sprintf("The measure was to save %s, which lies within the interval.", percent(*m.Measure.Expected).Text)
	}
	return []string{text}
}

// criterion names a limit of Guideline 14.
func criterion(name string) string {
	switch name {
	case "cvrmse":
		return "CV(RMSE)"
	case "net_determination_bias":
		return "net determination bias"
	case "nmbe":
		return "NMBE"
	case "fractional_savings_uncertainty_68":
		return "uncertainty of the saving at 68 %"
	}
	return name
}

// sentence makes a text one: a capital first, a stop last.
func sentence(s string) string {
	if s == "" {
		return s
	}
	r, n := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(r)) + s[n:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}
