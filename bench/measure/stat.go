package measure

import (
	"math"
	"slices"
)

func rates(samples []Sample) []float64 {
	out := make([]float64, len(samples))
	for i, s := range samples {
		out[i] = s.Rate()
	}
	return out
}

func quotients(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] / b[i]
	}
	return out
}

func median(of []float64) float64 {
	s := slices.Sorted(slices.Values(of))
	n := len(s)
	if n == 0 {
		return math.NaN()
	}
	return (s[(n-1)/2] + s[n/2]) / 2
}

// spread is how far the farthest of some quotients is from 1.
func spread(of []float64) (most float64) {
	for _, q := range of {
		most = max(most, math.Abs(q-1))
	}
	return most
}
