package main

import (
	"context"

	"doorbell/hub"
	"doorbell/hub/bus"
	"doorbell/hub/track/ride"
)

// channel is how couriers' positions travel between nodes: ride's words on one side, Redis on the other.
type channel struct{ redis *bus.Redis }

var _ ride.Channel = channel{}

// Load implements ride.Channel.
func (c channel) Load(ctx context.Context, courier string) (data []byte, mark uint64, err error) {
	return c.redis.LoadCourier(ctx, courier)
}

// Save implements ride.Channel.
func (c channel) Save(ctx context.Context, courier string, mark uint64, data []byte, shown []ride.Shown) (lost bool, err error) {
	positions := make([]bus.Position, len(shown))
	for i := range shown {
		s := &shown[i]
		positions[i] = bus.Position{Order: s.Order, Courier: s.Courier, Epoch: s.Epoch, Riding: s.Phase == ride.Riding}
		if !s.Quiet {
			positions[i].Point = s.Append(nil)
		}
	}
	lost, err = c.redis.SaveCourier(ctx, courier, mark, data, positions)
	for i := range shown {
		shown[i].Outcome = outcomes[positions[i].Answer]
	}
	return lost, err
}

var outcomes = map[bus.PositionAnswer]ride.Outcome{
	bus.PositionFailed: ride.Failed, bus.PositionSent: ride.Sent, bus.PositionClosed: ride.Closed, bus.PositionOlder: ride.Older,
}

// Last is the last position of an order, if it may still be seen.
func (c channel) Last(ctx context.Context, orderID string) (hub.Position, bool) {
	point, ok := c.redis.LastPosition(ctx, orderID)
	if !ok {
		return hub.Position{}, false
	}
	s, err := ride.DecodeShown(orderID, point)
	if err != nil {
		return hub.Position{}, false
	}
	return s.Position(), true
}

// follow has the positions of an order brought here, or no more.
func (c channel) follow(orderID string, on bool) {
	if on {
		c.redis.Follow(orderID)
	} else {
		c.redis.Unfollow(orderID)
	}
}
