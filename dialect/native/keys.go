package native

import (
	"context"
	"net/http"

	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/client"
)

// KeyPath names a key.
type KeyPath struct {
	Key string `path:"key" doc:"A key's id"`
}

// keys registers what an administrator does with the keys of the server's door.
func (a *API) keys() {
	handle(a, auth.Administer, "list-keys", http.MethodGet, "/keys", "List keys", func(ctx context.Context, _ *struct{}) ([]client.Key, error) {
		ks, err := a.o.Keys.List(ctx)
		out := []client.Key{}
		for _, k := range ks {
			out = append(out, drawKey(k))
		}
		return out, err
	})
	handle(a, auth.Administer, "create-key", http.MethodPost, "/keys", "Make a key; its secret is in this answer and nowhere else", func(ctx context.Context, in *body[client.NewKey]) (client.MadeKey, error) {
		b := in.Body
		k, c, err := a.o.Keys.Create(ctx, auth.Key{Name: b.Name, Role: auth.Role(b.Role), Scope: b.Pipelines, ExpiresAt: b.ExpiresAt})
		if err != nil {
			return client.MadeKey{}, err
		}
		return client.MadeKey{Key: drawKey(k), Secret: c.Secret, Bearer: c.Bearer(), APIKey: c.APIKey()}, nil
	})
	handle(a, auth.Administer, "revoke-key", http.MethodDelete, "/keys/{key}", "Make a key worthless, within a second", func(ctx context.Context, in *KeyPath) (done, error) {
		return done{true}, a.o.Keys.Revoke(ctx, in.Key)
	})
}

func drawKey(k auth.Key) client.Key {
	return client.Key{
		ID: k.ID, Name: k.Name, Role: string(k.Role), Pipelines: list(k.Scope),
		CreatedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt, UsedAt: k.UsedAt,
	}
}
