// Package spec describes a plugin's settings once. Decoding, checking, `syncline kinds`,
// forms and the dialects' own schemas are drawn from it.
package spec

import (
	"encoding/json"
	"net/url"
)

// Type of a setting.
type Type string

// What a setting may be. In JSON: string, string, whole number, true or false, a string
// such as "5m", a list of strings, an object of strings. Whole numbers, true and false
// may also stand as text, as the environment gives them. In Go, for Default and for the
// struct that Decode fills: string, Secret, int, bool, time.Duration, []string,
// map[string]string.
const (
	String   Type = "string"
	Password Type = "password" // decoded into Secret; sealed at rest, never shown
	Int      Type = "int"
	Bool     Type = "bool"
	Duration Type = "duration"
	List     Type = "list"
	Map      Type = "map"
)

// Field is one setting.
type Field struct {
	Name     string   // the JSON key, lower case with underscores
	Label    string   // for forms
	Help     string   // one sentence: what it does, its unit
	Type     Type     // what it may be
	Default  any      // of the Go type of Type; nil none
	Required bool     // must be given and not empty
	Options  []string // String only: the allowed values
	File     bool     // String only: names a file or folder of the machine that runs the pipeline
}

// Spec describes a kind of source or destination.
type Spec struct {
	Kind    string // "postgres"; what pipelines name
	Summary string // one sentence for `syncline kinds`
	Fields  []Field
	// Schemes are the URL schemes that mean this kind: "postgres", "postgresql".
	Schemes []string
	// FromURL turns a URL of one of Schemes into settings; its error names the part at
	// fault and never repeats the password.
	FromURL func(u *url.URL) (json.RawMessage, error)
	// Show draws settings as a person may see them: a URL without secrets, stable, the
	// same for the same place. It is what a pipeline's derived name is made of.
	Show func(settings json.RawMessage) string
	// Local reports whether these settings name something only this machine has, so that
	// runs are pinned to it. nil: never.
	Local func(settings json.RawMessage) bool
	// Root is the setting that takes a folder, outside of which nothing is read or written,
	// whatever the other settings name; "" of kinds that touch no files, or cannot promise it.
	Root string
	// Cursorless: a source that knows by itself what is new, as with files, so that an
	// incremental read needs no cursor column.
	Cursorless bool
}
