package main

import (
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
)

func get(path string) *annotations.HttpRule {
	return &annotations.HttpRule{Pattern: &annotations.HttpRule_Get{Get: path}}
}

func del(path string) *annotations.HttpRule {
	return &annotations.HttpRule{Pattern: &annotations.HttpRule_Delete{Delete: path}}
}

func post(path, body string) *annotations.HttpRule {
	return &annotations.HttpRule{Pattern: &annotations.HttpRule_Post{Post: path}, Body: body}
}

func patch(path, body string) *annotations.HttpRule {
	return &annotations.HttpRule{Pattern: &annotations.HttpRule_Patch{Patch: path}, Body: body}
}

// both gives a rule that names a location the same without one.
func both(make func(path string) *annotations.HttpRule, path string) []*annotations.HttpRule {
	return []*annotations.HttpRule{make(path), make(strings.Replace(path, "/locations/*", "", 1))}
}

func posts(body string) func(string) *annotations.HttpRule {
	return func(path string) *annotations.HttpRule { return post(path, body) }
}

func patches(body string) func(string) *annotations.HttpRule {
	return func(path string) *annotations.HttpRule { return patch(path, body) }
}
