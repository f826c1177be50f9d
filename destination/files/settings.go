package files

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/compress"
	"github.com/synclinehq/syncline/format/tree"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/spec"
)

type settings struct {
	Path     string `json:"path"`
	Root     string `json:"root"`
	Format   string `json:"format"`
	Compress string `json:"compress"`

	file string     // the one file that Path names; "" when it is a folder
	tree *tree.Tree // what may be touched
}

// The formats.
const (
	formatCSV   = "csv"
	formatTSV   = "tsv"
	formatJSONL = "jsonl"
)

var fields = []spec.Field{
	{Name: "path", Label: "Path", Type: spec.String, Required: true, File: true, Help: "A folder that gets a file per entity, or one file: /data/out/ or /data/out/orders.csv.gz."},
	{Name: "format", Label: "Format", Type: spec.String, Options: []string{formatCSV, formatTSV, formatJSONL}, Help: "csv, tsv or jsonl. Default: what the file's name says, else csv."},
	{Name: "compress", Label: "Compression", Type: spec.String, Options: []string{"none", "gzip", "zstd"}, Help: "none, gzip or zstd. Default: what the file's name says, else none."},
	{Name: "root", Label: "Root", Type: spec.String, Help: "A folder that nothing is written or read outside of, whatever the path, tables and links in it say."},
}

func kindSpec() spec.Spec {
	return spec.Spec{
		Kind:    "files",
		Summary: "CSV, TSV and JSON Lines files, plain, gzip or zstd",
		Fields:  fields,
		Schemes: []string{"file"},
		FromURL: fromURL,
		Show:    show,
		Local:   func(json.RawMessage) bool { return true }, // a path means another file on another machine
		Root:    "root",
	}
}

// fromURL reads file:///dir/?format=csv&compress=gzip and file:///dir/orders.csv.gz.
func fromURL(u *url.URL) (json.RawMessage, error) {
	switch {
	case u.User != nil || u.Host != "" && u.Host != "localhost":
		return nil, syncline.Invalid("path", "a file URL names no host and no user: the file is on this machine").Try("write file:///path/to/folder/, with three slashes")
	case u.Path == "":
		return nil, syncline.Invalid("path", "the file URL names no path").Try("write file:///path/to/folder/")
	}
	params, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, syncline.Invalid("path", "the parameters of the file URL: %w", err).Try("separate them by &: ?format=csv&compress=gzip")
	}
	given, err := spec.FromText("files", fields, params)
	if err != nil {
		return nil, source.SettingError(kindSpec(), err)
	}
	given["path"] = u.Path
	return json.Marshal(given)
}

// show draws the path and how its files are written.
func show(raw json.RawMessage) string {
	var s settings
	if json.Unmarshal(raw, &s) != nil || s.Path == "" {
		return ""
	}
	params := url.Values{}
	if s.Format != "" {
		params.Set("format", s.Format)
	}
	if s.Compress != "" {
		params.Set("compress", s.Compress)
	}
	u := url.URL{Scheme: "file", Path: s.Path, RawQuery: params.Encode()}
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
	return s, nil
}

// look finds out whether the path names a folder or a file, and what its name says.
func (s *settings) look() error {
	codec, name := compress.ByName(s.Path)
	format := formatByName(name)
	info, err := s.tree.Stat(s.Path)
	isDir := err == nil && info.IsDir() || strings.HasSuffix(s.Path, "/") || format == ""
	if isDir && err == nil && !info.IsDir() {
		return syncline.Invalid("path", "%s is a file whose name does not tell its format", s.Path).Try("give a folder, or a file named .csv, .tsv or .jsonl")
	}
	if !isDir {
		s.file = filepath.Base(s.Path)
		err = s.fromName(format, codec)
	} else if s.Format == "" {
		s.Format = formatCSV
	}
	if isDir || err == nil {
		err = s.isFolder()
	}
	return err
}

// fromName takes format and compression from the file's name; settings may only agree.
func (s *settings) fromName(format string, codec compress.Codec) error {
	word := string(codec)
	if codec == compress.None {
		word = "none"
	}
	for _, c := range []struct {
		field string
		given *string
		named string
	}{{"format", &s.Format, format}, {"compress", &s.Compress, word}} {
		if *c.given != "" && *c.given != c.named {
			return syncline.Invalid(c.field, "%s is %s, and the name of %s says %s", c.field, *c.given, s.Path, c.named).Try("leave %s out, or rename the file", c.field)
		}
		*c.given = c.named
	}
	return nil
}

func formatByName(name string) string {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".csv":
		return formatCSV
	case ".tsv", ".tab":
		return formatTSV
	case ".jsonl", ".ndjson", ".json":
		return formatJSONL
	}
	return ""
}

func (s settings) dir() string {
	if s.file != "" {
		return filepath.Dir(s.Path)
	}
	return filepath.Clean(s.Path)
}

func (s settings) codec() compress.Codec {
	if s.Compress == "none" {
		return compress.None
	}
	return compress.Codec(s.Compress)
}

// ext is what the names of files end in; a file that the settings name keeps its own.
func (s settings) ext() string {
	if s.file != "" {
		return strings.TrimPrefix(s.file, withoutExt(s.file))
	}
	return "." + s.Format + s.codec().Ext()
}

// withoutExt takes the endings off that tell format and compression.
func withoutExt(name string) string {
	_, name = compress.ByName(name)
	if formatByName(name) != "" {
		return strings.TrimSuffix(name, filepath.Ext(name))
	}
	return name
}

// maxName leaves room in a file name for load, token and part.
const maxName = 120

// fileName makes an entity's or a load's name one that can be a file's: different names
// stay different.
func fileName(name string) string {
	name = withoutExt(name)
	safe := strings.NewReplacer("%", "%25", "/", "%2F", "\x00", "%00").Replace(name)
	if strings.HasPrefix(safe, ".") {
		safe = "%2E" + safe[1:]
	}
	if safe == "" || len(safe) > maxName {
		return strings.ToValidUTF8(safe[:min(len(safe), maxName-17)], "") + "-" + short(name)
	}
	return safe
}

// short is a name of fixed length for s.
func short(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:8])
}

// isFolder refuses a path on which a folder cannot be.
func (s *settings) isFolder() error {
	for p := s.dir(); ; p = filepath.Dir(p) {
		info, err := s.tree.Stat(p)
		switch {
		case err == nil && info.IsDir():
			return nil
		case err == nil:
			return syncline.Invalid("path", "%s is not a folder", p).Try("give the path of a folder")
		case p != filepath.Dir(p) && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)):
			continue
		default:
			return failed("look at", p, err)
		}
	}
}
