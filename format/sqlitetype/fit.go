package sqlitetype

import (
	"github.com/apache/arrow-go/v18/arrow"
)

// Fit says how values of a field go into a column that is there already.
type Fit int

const (
	Misfit Fit = iota
	Fits       // as they are stored in a column of their own
	AsText     // in their text form
	Widens     // once the column is declared anew, as Declare has it; nothing stored changes
)

// real15 is how many decimal digits a real keeps.
const real15 = 15

// FitInto tells how values of f go into a column declared so.
func FitInto(declared string, f arrow.Field) Fit {
	column := Field(f.Name, declared, true)
	switch {
	case Loose(column):
		return intoLoose(declared, f)
	case column.Type.ID() == arrow.STRING && f.Type.ID() != arrow.STRING:
		return AsText
	case bits(column.Type) > 0 && bits(f.Type) > 0:
		return widens(bits(f.Type) <= bits(column.Type))
	case column.Type.ID() == arrow.FLOAT64 && f.Type.ID() == arrow.FLOAT32:
		return Fits
	case column.Type.ID() == arrow.FLOAT32 && f.Type.ID() == arrow.FLOAT64:
		return Widens
	}
	to, decimal := column.Type.(arrow.DecimalType)
	from, also := f.Type.(arrow.DecimalType)
	if decimal && also {
		return decimals(declared, to, from)
	}
	if arrow.TypeEqual(column.Type, f.Type) {
		return Fits
	}
	return Misfit
}

// intoLoose: a column without a type takes anything; one with the affinity of numbers
// makes numbers of decimals, which must then be short enough.
func intoLoose(declared string, f arrow.Field) Fit {
	if d, ok := f.Type.(arrow.DecimalType); ok && Affinity(declared) != None && d.GetPrecision() > real15 {
		return Misfit
	}
	return Fits
}

func widens(fits bool) Fit {
	if fits {
		return Fits
	}
	return Widens
}

// bits is the size of integers, and of truth, which is stored as one.
func bits(t arrow.DataType) int {
	switch t.ID() {
	case arrow.BOOL:
		return 1
	case arrow.INT16, arrow.INT32, arrow.INT64:
		return t.(arrow.FixedWidthDataType).BitWidth()
	}
	return 0
}

func decimals(declared string, to, from arrow.DecimalType) Fit {
	holds := func(a, b arrow.DecimalType) bool {
		return b.GetScale() <= a.GetScale() && b.GetPrecision()-b.GetScale() <= a.GetPrecision()-a.GetScale()
	}
	if Affinity(declared) != Text { // declared by others: the digits end up in a real
		if holds(to, from) && from.GetPrecision() <= real15 {
			return Fits
		}
		return Misfit
	}
	switch {
	case holds(to, from):
		return Fits
	case holds(from, to):
		return Widens
	}
	return Misfit
}
