package web

import (
	"context"

	"doorbell/hub"
	"doorbell/orders"
	"doorbell/web/auth"
)

// Gate says whose a token is. REST and live sockets ask the same one.
type Gate struct {
	Verifier *auth.Verifier
	Orders   *orders.Service
}

// Identify verifies a token. A tracking link counts as one only while it opens the order it names. Errors:
// Unauthenticated, Unavailable.
func (g Gate) Identify(ctx context.Context, token string) (auth.Identity, error) {
	id, err := g.Verifier.Verify(ctx, token)
	if err != nil || id.Role != orders.RoleTracker {
		return id, err
	}
	o, err := g.Orders.Get(ctx, id.OrderID, id.Caller)
	if orders.KindOf(err) == orders.NotFound || err == nil && !id.Opens(&o) {
		err = orders.Errorf(orders.Unauthenticated, "the tracking link is unknown or has ended")
	}
	return id, err
}

// Live is Identify for a live session.
func (g Gate) Live(ctx context.Context, token string) (hub.Identity, error) {
	id, err := g.Identify(ctx, token)
	return liveIdentity(id), err
}

func liveIdentity(id auth.Identity) hub.Identity {
	return hub.Identity{Caller: id.Caller, ExpiresAt: id.ExpiresAt, IssuedAt: id.IssuedAt}
}
