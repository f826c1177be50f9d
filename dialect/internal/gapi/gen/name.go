package main

import "strings"

// pkg is the proto package of everything that is named without one.
const (
	pkg  = "google.cloud.bigquery.datatransfer.v1"
	host = "bigquerydatatransfer.googleapis.com"
)

// qualified is a type's name as descriptors refer to it.
func qualified(name string) string {
	if strings.HasPrefix(name, "google.") {
		return "." + name
	}
	return "." + pkg + "." + name
}

func camel(name string) string {
	words := strings.Split(name, "_")
	for i := 1; i < len(words); i++ {
		words[i] = title(words[i])
	}
	return strings.Join(words, "")
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

const (
	empty       = "google.protobuf.Empty"
	fieldMask   = "google.protobuf.FieldMask"
	timestamp   = "google.protobuf.Timestamp"
	boolValue   = "google.protobuf.BoolValue"
	stringValue = "google.protobuf.StringValue"
)
