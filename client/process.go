package client

import (
	"context"
	"time"
)

// About says which process answers: the one that holds the ledger.
type About struct {
	Version   string    `json:"version"`
	PID       int       `json:"pid"`
	Host      string    `json:"host"`
	Command   string    `json:"command"`
	Server    bool      `json:"server"` // it executes runs as long as it runs
	StartedAt time.Time `json:"started_at"`
	Data      string    `json:"data"`
	Ledger    string    `json:"ledger"` // "sqlite" or "postgres"
}

// About asks which process answers.
func (c *Client) About(ctx context.Context) (a About, err error) {
	err = c.get(ctx, "/about", nil, &a)
	return a, err
}

// HandOver asks the process that holds the ledger to leave it to a server.
func (c *Client) HandOver(ctx context.Context) error { return c.post(ctx, "/hand-over", nil, nil) }
