package files

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/csv"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/spec"
)

type settings struct {
	Path      string   `json:"path"`
	Root      string   `json:"root"`
	Entity    string   `json:"entity"`
	Format    string   `json:"format"`
	Separator string   `json:"separator"`
	Quote     string   `json:"quote"`
	Header    bool     `json:"header"`
	Null      []string `json:"null"`
	Sample    int64    `json:"sample"`
}

// fields are the settings; the words of format are also the extensions it is known by.
var fields = []spec.Field{
	{Name: "path", Label: "Path", Type: spec.String, Required: true, File: true, Help: "A file, a folder, or a pattern: /data/*.csv; ** stands for any folders in between."},
	{Name: "entity", Label: "One entity", Type: spec.String, Help: "Read all matching files as one entity of this name, a part each; without it every file is an entity. In a URL also: as."},
	{Name: "format", Label: "Format", Type: spec.String, Options: []string{"csv", "tsv", "jsonl"}, Help: "csv, tsv or jsonl, where the files' names do not say it."},
	{Name: "separator", Label: "Separator", Type: spec.String, Help: "The sign between CSV fields, or tab, comma, semicolon, pipe. Default: found in the first line; a tab in TSV files."},
	{Name: "quote", Label: "Quote", Type: spec.String, Default: `"`, Help: "The sign around CSV fields that hold separators or line ends."},
	{Name: "header", Label: "Header", Type: spec.Bool, Default: true, Help: "Whether the first CSV row names the columns; without, they are column_1, column_2, …"},
	{Name: "null", Label: "NULL", Type: spec.List, Help: `The unquoted CSV fields that mean NULL, such as NA or \N. Default: the empty field. "" in quotes is always the empty string.`},
	{Name: "root", Label: "Root", Type: spec.String, Help: "A folder that nothing is read outside of, whatever the path and links in it say."},
	{Name: "sample", Label: "Sample", Type: spec.Int, Default: 10_000, Help: "How many rows are looked at to find the types of columns; 0: all."},
}

func kindSpec() spec.Spec {
	return spec.Spec{
		Kind:       "files",
		Summary:    "CSV, TSV and JSON Lines files, plain, gzip or zstd",
		Fields:     fields,
		Schemes:    []string{"file"},
		FromURL:    fromURL,
		Show:       show,
		Local:      func(json.RawMessage) bool { return true }, // a path means another file on another machine
		Root:       "root",
		Cursorless: true,
	}
}

// fromURL reads file:///dir/*.csv?as=orders&null=NA.
func fromURL(u *url.URL) (json.RawMessage, error) {
	switch {
	case u.User != nil || u.Host != "" && u.Host != "localhost":
		return nil, syncline.Invalid("path", "a file URL names no host and no user: the file is on this machine").Try("write file:///path/to/file.csv, with three slashes")
	case u.Path == "":
		return nil, syncline.Invalid("path", "the file URL names no path").Try("write file:///path/to/file.csv")
	}
	params, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, syncline.Invalid("path", "the parameters of the file URL: %w", err).Try("write ; as %%3B, & as %%26 and a tab as tab")
	}
	if as, ok := params["as"]; ok {
		delete(params, "as")
		params["entity"] = as
	}
	given, err := spec.FromText("files", fields, params)
	if err != nil {
		return nil, source.SettingError(kindSpec(), err)
	}
	given["path"] = u.Path
	return json.Marshal(given)
}

// show draws the path and what else tells one place from another.
func show(raw json.RawMessage) string {
	var s map[string]any
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	u := url.URL{Scheme: "file"}
	u.Path, _ = s["path"].(string)
	u.RawPath = strings.ReplaceAll(u.EscapedPath(), "%2A", "*") // as it was typed
	params := url.Values{}
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if f, ok := kindSpec().Field(name); ok && name != "path" && name != "root" && name != "sample" && fmt.Sprint(s[name]) != fmt.Sprint(f.Default) {
			params.Set(name, fmt.Sprint(s[name]))
		}
	}
	u.RawQuery = params.Encode()
	return u.String()
}

func decode(raw json.RawMessage) (settings, error) {
	var s settings
	if err := kindSpec().Decode(raw, &s); err != nil {
		return s, source.SettingError(kindSpec(), err)
	}
	if !filepath.IsAbs(s.Path) {
		return s, syncline.Invalid("path", "path %q is not absolute", s.Path).Try("give the whole path, from / on")
	}
	if s.Sample < 0 {
		return s, syncline.Invalid("sample", "sample is %d", s.Sample).Try("give a number of rows, 0 for all")
	}
	if s.Null == nil {
		s.Null = []string{""}
	}
	if _, err := s.dialect(','); err != nil {
		return s, err
	}
	return s, nil
}

// dialect is the CSV dialect of files whose separator, unless given, is the one found.
func (s settings) dialect(found byte) (csv.Dialect, error) {
	d := csv.Dialect{Separator: found, Header: s.Header, Null: s.Null}
	var err error
	if s.Separator != "" {
		if d.Separator, err = oneByte("separator", s.Separator); err != nil {
			return d, err
		}
	}
	if d.Quote, err = oneByte("quote", s.Quote); err != nil {
		return d, err
	}
	if err := d.Check(); err != nil {
		return d, syncline.Invalid("separator", "%w", err).Try("check the settings separator and quote")
	}
	return d, nil
}

var signs = map[string]byte{"tab": '\t', `\t`: '\t', "comma": ',', "semicolon": ';', "pipe": '|', "space": ' '}

func oneByte(field, s string) (byte, error) {
	if c, ok := signs[strings.ToLower(s)]; ok {
		return c, nil
	}
	if len(s) != 1 {
		return 0, syncline.Invalid(field, "%s %q is not one ASCII sign", field, s).Try(`give one such as ; or a word: tab, comma, semicolon, pipe, space`)
	}
	return s[0], nil
}
