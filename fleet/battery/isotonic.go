package battery

// falling is the least-squares fit to y that never rises, by pooling adjacent
// violators (Ayer et al. 1955; Robertson, Wright & Dykstra 1988, §1.2).
// Example: 3, 1, 2 gives 3, 1.5, 1.5.
func falling(y []float64) []float64 {
	type block struct {
		mean float64
		n    int
	}
	var blocks []block
	for _, v := range y {
		b := block{v, 1}
		for len(blocks) > 0 && blocks[len(blocks)-1].mean < b.mean {
			last := blocks[len(blocks)-1]
			n := last.n + b.n
			b = block{(last.mean*float64(last.n) + b.mean*float64(b.n)) / float64(n), n}
			blocks = blocks[:len(blocks)-1]
		}
		blocks = append(blocks, b)
	}
	out := make([]float64, 0, len(y))
	for _, b := range blocks {
		for range b.n {
			out = append(out, b.mean)
		}
	}
	return out
}

// at interpolates y(x) linearly; x ascends and v lies within it.
func at(x, y []float64, v float64, from int) (value float64, next int) {
	for from+1 < len(x)-1 && x[from+1] < v {
		from++
	}
	if len(x) == 1 {
		return y[0], 0
	}
	a, b := x[from], x[from+1]
	if a == b { // measured twice
		return y[from+1], from
	}
	return y[from] + (y[from+1]-y[from])*(v-a)/(b-a), from
}
