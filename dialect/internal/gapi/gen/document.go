package main

import (
	"bytes"
	"encoding/json"
	"os"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// document is a discovery document, as
// https://developers.google.com/discovery/v1/reference/apis describes it; members that no
// client reads are left out.
type document struct {
	Kind                         string `json:"kind"`
	DiscoveryVersion             string `json:"discoveryVersion"`
	ID                           string `json:"id"`
	Name                         string `json:"name"`
	CanonicalName                string `json:"canonicalName"`
	Version                      string `json:"version"`
	Revision                     string `json:"revision"`
	Title                        string `json:"title"`
	Description                  string `json:"description"`
	DocumentationLink            string `json:"documentationLink"`
	Protocol                     string `json:"protocol"`
	RootURL                      string `json:"rootUrl"`
	ServicePath                  string `json:"servicePath"`
	BaseURL                      string `json:"baseUrl"`
	BasePath                     string `json:"basePath"`
	BatchPath                    string `json:"batchPath"`
	FullyEncodeReservedExpansion bool   `json:"fullyEncodeReservedExpansion"`
	Auth                         auth   `json:"auth"`

	Parameters map[string]*schema `json:"parameters"`
	Schemas    map[string]*schema `json:"schemas"`
	Resources  map[string]*node   `json:"resources"`

	from map[string]protoreflect.FullName // what each schema was drawn of
}

type auth struct {
	OAuth2 struct {
		Scopes map[string]description `json:"scopes"`
	} `json:"oauth2"`
}

type description struct {
	Description string `json:"description"`
}

// node is a resource: its methods and the resources below it.
type node struct {
	Methods   map[string]*call `json:"methods,omitempty"`
	Resources map[string]*node `json:"resources,omitempty"`
}

// call is one method in one form of its path.
type call struct {
	ID             string             `json:"id"`
	Description    string             `json:"description,omitempty"`
	Deprecated     bool               `json:"deprecated,omitempty"`
	HTTPMethod     string             `json:"httpMethod"`
	Path           string             `json:"path"`
	FlatPath       string             `json:"flatPath"`
	ParameterOrder []string           `json:"parameterOrder"`
	Parameters     map[string]*schema `json:"parameters"`
	Request        *schema            `json:"request,omitempty"`
	Response       *schema            `json:"response"`
	Scopes         []string           `json:"scopes"`
}

// schema is a message, a member of one, or a parameter.
type schema struct {
	ID                   string             `json:"id,omitempty"`
	Ref                  string             `json:"$ref,omitempty"`
	Type                 string             `json:"type,omitempty"`
	Format               string             `json:"format,omitempty"`
	Description          string             `json:"description,omitempty"`
	Default              string             `json:"default,omitempty"`
	Enum                 []string           `json:"enum,omitempty"`
	Pattern              string             `json:"pattern,omitempty"`
	Location             string             `json:"location,omitempty"`
	Required             bool               `json:"required,omitempty"`
	Repeated             bool               `json:"repeated,omitempty"`
	ReadOnly             bool               `json:"readOnly,omitempty"`
	Deprecated           bool               `json:"deprecated,omitempty"`
	Items                *schema            `json:"items,omitempty"`
	AdditionalProperties *schema            `json:"additionalProperties,omitempty"`
	Properties           map[string]*schema `json:"properties,omitempty"`
}

func (d *document) write(file string) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(d); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

// newDocument has what all our documents share. rootUrl is where Syncline listens when
// nobody says otherwise; clients are told the address of theirs.
func newDocument(name, version, servicePath string) *document {
	d := &document{
		Kind: "discovery#restDescription", DiscoveryVersion: "v1", Protocol: "rest",
		ID: name + ":" + version, Name: name, Version: version, Revision: "20261125",
		RootURL: "http://127.0.0.1:9200/", ServicePath: servicePath, BatchPath: "batch",
		FullyEncodeReservedExpansion: true,
		Parameters:                   systemParameters(), Schemas: map[string]*schema{}, Resources: map[string]*node{},
		from: map[string]protoreflect.FullName{},
	}
	d.BaseURL = d.RootURL + servicePath
	if servicePath != "" {
		d.BasePath = "/" + servicePath
	}
	d.Auth.OAuth2.Scopes = map[string]description{
		scopeBigQuery: {"View and manage data in BigQuery"},
		scopeCloud:    {"View and manage what the key may"},
		scopeReadOnly: {"View what the key may"},
	}
	return d
}

const (
	scopeBigQuery = "https://www.googleapis.com/auth/bigquery"
	scopeCloud    = "https://www.googleapis.com/auth/cloud-platform"
	scopeReadOnly = "https://www.googleapis.com/auth/cloud-platform.read-only"
)

// systemParameters are those of every method
// (https://cloud.google.com/apis/docs/system-parameters), less the ones that are refused.
func systemParameters() map[string]*schema {
	q := func(typ, text string) *schema { return &schema{Type: typ, Description: text, Location: "query"} }
	errors := q("string", "Version of the error format; both are answered alike.")
	errors.Enum = []string{"1", "2"}
	alt := q("string", "Format of the answer.")
	alt.Enum, alt.Default = []string{"json"}, "json"
	pretty := q("boolean", "Answers with indentation and line breaks.")
	pretty.Default = "true"
	return map[string]*schema{
		"$.xgafv": errors, "alt": alt, "prettyPrint": pretty,
		"access_token":    q("string", "A key, for clients that cannot send it as a header."),
		"fields":          q("string", "The members that the answer should have."),
		"key":             q("string", "A key, for clients that cannot send it as a header."),
		"oauth_token":     q("string", "A key, for clients that cannot send it as a header."),
		"quotaUser":       q("string", "Accepted, without effect."),
		"uploadType":      q("string", "Accepted, without effect."),
		"upload_protocol": q("string", "Accepted, without effect."),
	}
}
