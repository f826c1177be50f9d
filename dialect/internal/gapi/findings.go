package gapi

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	maxFindings = 20 // of one request: whoever gets everything wrong is told enough
	maxEcho     = 80 // bytes of what the caller sent, in an error
)

// findings collects what is wrong with a request, so that all of it can be said at once.
type findings struct{ all []finding }

type finding struct{ field, message string }

func (f *findings) add(field, format string, args ...any) {
	if len(f.all) < maxFindings {
		f.all = append(f.all, finding{clip(field), fmt.Sprintf(format, args...)})
	}
}

func (f *findings) err() error {
	if len(f.all) == 0 {
		return nil
	}
	return f
}

// Error joins them by line breaks, as callers know it.
func (f *findings) Error() string {
	lines := make([]string, len(f.all))
	for i, one := range f.all {
		lines[i] = one.message
	}
	return strings.Join(lines, "\n")
}

// at says where something is; at the top, nothing.
func at(path string) string {
	if path == "" {
		return ""
	}
	return fmt.Sprintf(" at '%s'", clip(path))
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func quote(text string) string { return string(quoted(clip(text))) }

// clip shortens what a caller sent.
func clip(text string) string {
	if len(text) <= maxEcho {
		return text
	}
	cut := maxEcho
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
