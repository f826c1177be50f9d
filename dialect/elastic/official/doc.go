// Package official holds Elastic's API against Elasticsearch's own typed client for Go. It
// is a module of its own because that client takes minutes to compile.
package official
