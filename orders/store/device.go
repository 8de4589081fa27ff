package store

import (
	"context"
	"time"

	"doorbell/orders"
)

// revokedShown is how long a revoked device is still listed.
const revokedShown = 30 * 24 * time.Hour

var _ orders.DeviceStore = (*Store)(nil)

// AddDevice implements [orders.DeviceStore]. A second device with an id or a token that is there is Internal.
func (s *Store) AddDevice(ctx context.Context, d orders.Device) error {
	c := newChange(
		// Under READ COMMITTED two nodes would count the same devices, and both add one. This row lets one wait until
		// the other's is there to be counted.
		Step{lockDevices, []any{d.Courier}},
		Step{addDevice, []any{d.ID, d.Courier, d.Name, d.TokenHash, micros(d.CreatedAt), int64(orders.MaxDevices)}},
	)
	c.lock = "d/" + d.Courier
	c.probe, c.mark = &Step{deviceMark, []any{d.ID}}, d.ID
	c.verdict = func(touched []int64) error {
		if touched[1] == 0 {
			return orders.Errorf(orders.Exhausted, "this courier has %d devices: revoke one before adding another", orders.MaxDevices)
		}
		return nil
	}
	return s.do(ctx, c)
}

// Devices implements [orders.DeviceStore]. It lists at most 1000.
func (s *Store) Devices(ctx context.Context, courier string) ([]orders.Device, error) {
	var out []orders.Device
	since := s.engine.Now().Add(-revokedShown)
	err := s.each(ctx, readDevices, []any{courier, micros(since), int64(maxPage)}, func(scan Scan) error {
		d := orders.Device{Courier: courier}
		var created, revoked int64
		if err := scan(&d.ID, &d.Name, &d.TokenHash, &created, &revoked); err != nil {
			return err
		}
		d.CreatedAt, d.RevokedAt = fromMicros(created), fromMicros(revoked)
		out = append(out, d)
		return nil
	})
	if err != nil {
		return nil, s.Told(err)
	}
	return out, nil
}

// DeviceByToken implements [orders.DeviceStore]. It is read from the database every time, so a device that was revoked
// is not found from then on, at whichever node.
func (s *Store) DeviceByToken(ctx context.Context, hash []byte) (orders.Device, error) {
	if hash == nil {
		hash = []byte{}
	}
	d := orders.Device{TokenHash: hash}
	var created int64
	if err := s.row(ctx, readDeviceByToken, []any{hash}, &d.ID, &d.Courier, &d.Name, &created); err != nil {
		return orders.Device{}, s.notFound(err, "device")
	}
	d.CreatedAt = fromMicros(created)
	return d, nil
}

// RevokeDevice implements [orders.DeviceStore].
func (s *Store) RevokeDevice(ctx context.Context, courier, id string, at time.Time) error {
	// A device that has ended is touched, too, and keeps its time: the count tells whether there is one.
	c := newChange(Step{revokeDevice, []any{courier, id, micros(at)}})
	c.lock = "d/" + courier
	c.verdict = func(touched []int64) error {
		if touched[0] == 0 {
			return orders.Errorf(orders.NotFound, "no such device")
		}
		return nil
	}
	return s.do(ctx, c)
}
