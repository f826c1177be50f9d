// Package official holds the Data Transfer API against Google's own clients for Go, over
// REST and gRPC. It is a module of its own because their messages and Syncline's bear the
// same proto names, which one program cannot link twice: Syncline runs beside the test.
package official
