package gapi

import "github.com/synclinehq/syncline"

// PageSize is how many items a page holds of which a caller asked for n: 0 stands for the
// default, and more than the maximum is the maximum.
func PageSize(n int32, byDefault, maximum int) (int, error) {
	switch {
	case n < 0:
		return 0, syncline.Invalid("page_size", "the page size is %d, and cannot be negative", n)
	case n == 0:
		return byDefault, nil
	}
	return min(int(n), maximum), nil
}
