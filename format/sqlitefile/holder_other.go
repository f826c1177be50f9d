//go:build !linux

package sqlitefile

func holders(string) string { return "another program" }
