package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/registry"
)

// File is one YAML file of `syncline apply`.
type File struct {
	Name string `json:"name"` // as errors name it
	Dir  string `json:"dir"`  // what relative paths in it count from
	Text []byte `json:"text"`
}

// Doc is one pipeline as a file describes it.
type Doc struct {
	Name       string
	Definition syncline.Definition
	Paused     *bool // nil: the file does not say

	named position            // where Name stands
	at    map[string]position // where fields stand, "schedules[0].cron"
}

// maxFile bounds a configuration file.
const maxFile = 4 << 20

// ReadFiles reads the YAML file, or all *.yaml and *.yml files of the folder, at path.
func ReadFiles(path string) ([]File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, syncline.Invalid("", "cannot read %s: %s", path, cause(err)).Try("check the path given with -f")
	}
	names := []string{path}
	if info.IsDir() {
		if names, err = yamlFiles(path); err != nil {
			return nil, err
		}
	}
	var files []File
	for _, name := range names {
		f, err := readFile(name)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

func yamlFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, syncline.Invalid("", "cannot read %s: %s", dir, cause(err))
	}
	var names []string
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if !e.IsDir() && (ext == ".yaml" || ext == ".yml") {
			names = append(names, filepath.Join(dir, e.Name()))
		}
	}
	if len(names) == 0 {
		return nil, syncline.Invalid("", "the folder %s holds no .yaml or .yml file", dir).Try("give a file, or the folder with your pipelines")
	}
	return names, nil
}

func readFile(name string) (File, error) {
	info, err := os.Stat(name)
	if err == nil && info.Size() > maxFile {
		return File{}, syncline.Invalid("", "%s is larger than %d MiB", name, maxFile>>20)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return File{}, syncline.Invalid("", "cannot read %s: %s", name, cause(err))
	}
	dir, err := filepath.Abs(filepath.Dir(name))
	return File{name, dir, text}, err
}

func cause(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}

// Parse reads the pipelines of YAML files. Its error lists everything that is wrong with
// them, each line with file, line and column.
func (c *Catalog) Parse(files []File) ([]Doc, error) {
	var docs []Doc
	var problems []problem
	for _, f := range files {
		r := &reader{file: f}
		for _, d := range r.parse() {
			docs = append(docs, r.document(c, d)...)
		}
		problems = append(problems, r.problems...)
	}
	problems = append(problems, duplicates(docs)...)
	for _, d := range docs {
		problems = append(problems, c.problemsOf(d)...)
	}
	if len(problems) == 0 && len(docs) == 0 {
		return nil, syncline.Invalid("", "there is no pipeline in %s", nameOf(files)).Try("begin with: pipelines: [{name: …, source: …, destination: …}]")
	}
	return docs, joined(sorted(problems, files))
}

func nameOf(files []File) string {
	if len(files) == 1 {
		return files[0].Name
	}
	return fmt.Sprintf("%d files", len(files))
}

// sorted puts problems in the order of the files and lines, one for each place: a second
// one is mostly a consequence of the first.
func sorted(problems []problem, files []File) []problem {
	order := map[string]int{}
	for i, f := range files {
		order[f.Name] = i
	}
	slices.SortStableFunc(problems, func(a, b problem) int {
		if a.at.file != b.at.file {
			return order[a.at.file] - order[b.at.file]
		}
		if a.at.line != b.at.line {
			return a.at.line - b.at.line
		}
		return a.at.column - b.at.column
	})
	return slices.CompactFunc(problems, func(a, b problem) bool { return a.at == b.at })
}

func duplicates(docs []Doc) []problem {
	var problems []problem
	first := map[string]position{}
	for _, d := range docs {
		if at, ok := first[d.Name]; ok && d.Name != "" {
			problems = append(problems, problem{d.named, fmt.Sprintf("pipeline %q is there already, at %s", d.Name, at), "give it another name"})
			continue
		}
		first[d.Name] = d.named
	}
	return problems
}

// problemsOf checks the definition as Put would, and says where in the file.
func (c *Catalog) problemsOf(d Doc) []problem {
	var problems []problem
	found := c.Check(d.Definition)
	if e, ok := errors.AsType[*syncline.Error](checkName(d.Name)); ok {
		found = append(found, e)
	}
	for _, e := range found {
		problems = append(problems, problem{d.where(e.Field), e.Message, e.Hint})
	}
	return problems
}

// where finds the place of a field, or of the nearest thing around it that has one.
func (d Doc) where(field string) position {
	for field != "" {
		if at, ok := d.at[field]; ok {
			return at
		}
		field = field[:max(0, strings.LastIndexAny(field, ".["))]
	}
	return d.named
}

func (r *reader) document(c *Catalog, d *ast.DocumentNode) []Doc {
	if d.Body == nil {
		return nil
	}
	if _, empty := d.Body.(*ast.CommentGroupNode); empty {
		return nil
	}
	var docs []Doc
	r.members(d.Body, "the file", []string{"pipelines"}, func(_ string, v ast.Node) {
		for _, n := range r.items(v, "pipelines") {
			docs = append(docs, r.pipeline(c, n))
		}
	})
	return docs
}

var pipelineKeys = []string{
	"name", "source", "destination", "entities", "schedule", "schedules", "overlap", "outcome",
	"max_tries", "deadline", "parallel", "keep_runs", "keep_days", "paused", "labels",
}

func (r *reader) pipeline(c *Catalog, n ast.Node) Doc {
	r.at = map[string]position{}
	doc := Doc{at: r.at, named: r.where(n)}
	d := &doc.Definition
	given := map[string]bool{}
	r.members(n, "a pipeline", pipelineKeys, func(key string, v ast.Node) {
		r.at[key], given[key] = r.where(v), true
		switch key {
		case "name":
			doc.Name, _ = r.text(v, key)
			doc.named = r.where(v)
		case "source":
			d.Source = r.endpoint(c, registry.Source, v)
		case "destination":
			d.Destination = r.endpoint(c, registry.Destination, v)
		case "entities":
			d.Entities = r.entities(v)
		case "schedule", "schedules":
			if len(d.Schedules) > 0 {
				r.bad(v, "schedule and schedules are both given").hint = "write one list"
			}
			d.Schedules = append(d.Schedules, r.schedules(v)...)
		case "paused":
			paused := r.truth(v, key)
			doc.Paused = &paused
		case "labels":
			d.Labels = r.texts(v, key)
		default:
			r.policy(d, key, v)
		}
	})
	for _, side := range []string{"source", "destination"} {
		if !given[side] {
			r.at[side] = doc.named
			r.bad(n, "the pipeline needs a %s", side).at = doc.named
		}
	}
	return doc
}

func (r *reader) policy(d *syncline.Definition, key string, v ast.Node) {
	switch key {
	case "overlap":
		word, _ := r.text(v, key)
		d.Overlap = syncline.Overlap(word)
	case "outcome":
		word, _ := r.text(v, key)
		d.Outcome = syncline.Outcome(word)
	case "deadline":
		d.Deadline = r.duration(v, key)
	case "max_tries":
		d.MaxTries = r.number(v, key)
	case "parallel":
		d.Parallel = r.number(v, key)
	case "keep_runs":
		d.KeepRuns = r.number(v, key)
	case "keep_days":
		d.KeepDays = r.number(v, key)
	}
}

// endpoint reads a URL, a path, or {kind: …} with the settings of that kind.
func (r *reader) endpoint(c *Catalog, side registry.Side, n ast.Node) syncline.Endpoint {
	if isObject(r.follow(n)) {
		return r.settings(c, side, n)
	}
	raw, ok := r.text(n, "the "+string(side))
	if !ok {
		return syncline.Endpoint{}
	}
	e, err := c.Endpoint(side, raw, r.file.Dir)
	if e, ok := errors.AsType[*syncline.Error](err); ok {
		r.bad(n, "%s", e.Message).hint = e.Hint
	} else if err != nil {
		r.bad(n, "%s", err)
	}
	return e
}

func (r *reader) settings(c *Catalog, side registry.Side, n ast.Node) syncline.Endpoint {
	object := r.object(r.follow(n))
	kind, _ := object["kind"].(string)
	delete(object, "kind")
	settings, err := json.Marshal(object)
	if err != nil {
		r.bad(n, "the settings of the %s cannot be stored", side)
	}
	s, _ := c.o.Registry.Spec(side, kind)
	for _, v := range pairs(r.follow(n)) {
		name := v.Key.GetToken().Value
		r.at[string(side)+"."+name] = r.where(v.Value)
		if _, known := s.Field(name); !known && name != "kind" {
			r.at[string(side)+"."+name] = r.where(v.Key)
		}
	}
	return syncline.Endpoint{Kind: kind, Settings: settings}
}

func (r *reader) texts(n ast.Node, what string) map[string]string {
	out := map[string]string{}
	if !isObject(r.follow(n)) {
		r.bad(n, "%s must be an object of texts", what)
	}
	for _, v := range pairs(r.follow(n)) {
		r.member(out, v, what)
	}
	return out
}

func (r *reader) member(out map[string]string, v *ast.MappingValueNode, what string) {
	key, ok := r.text(v.Key, "a key of "+what)
	if !ok {
		return
	}
	if value, ok := r.text(v.Value, fmt.Sprintf("%s %q", what, key)); ok {
		out[key] = value
	}
}

// days are what people write for long intervals; package time stops at hours.
var days = regexp.MustCompile(`^([0-9]{1,5})d$`)

func (r *reader) duration(n ast.Node, what string) time.Duration {
	text, ok := r.text(n, what)
	if !ok {
		return 0
	}
	if m := days.FindStringSubmatch(text); m != nil {
		count, _ := strconv.Atoi(m[1]) // the pattern allows nothing else
		return time.Duration(count) * 24 * time.Hour
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		r.bad(n, "%s is no duration", what).hint = `write it as "30s", "15m", "1h30m" or "7d"`
	}
	return d
}
