package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Key is a key that opens the server's door, without its secret.
type Key struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Role      string    `json:"role"`      // viewer, operator, editor, admin or worker
	Pipelines []string  `json:"pipelines"` // a worker's: the only ones it sees; none: all
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	UsedAt    time.Time `json:"used_at,omitzero"` // to within some minutes
}

// NewKey describes a key that is to be made.
type NewKey struct {
	Name      string    `json:"name,omitempty"`
	Role      string    `json:"role"`
	Pipelines []string  `json:"pipelines,omitempty"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// MadeKey is a new key with its secret, in the forms in which it is sent.
type MadeKey struct {
	Key
	Secret string `json:"secret"`  // the password of Basic, whose user is the id
	Bearer string `json:"bearer"`  // Authorization: Bearer …
	APIKey string `json:"api_key"` // Authorization: ApiKey …
}

// Keys lists the keys.
func (c *Client) Keys(ctx context.Context) (ks []Key, err error) {
	err = c.get(ctx, "/keys", nil, &ks)
	return ks, err
}

// CreateKey makes a key. Its secret cannot be asked for again.
func (c *Client) CreateKey(ctx context.Context, k NewKey) (made MadeKey, err error) {
	err = c.post(ctx, "/keys", k, &made)
	return made, err
}

// RevokeKey makes a key worthless.
func (c *Client) RevokeKey(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, "/keys/"+url.PathEscape(id), nil, nil)
}
