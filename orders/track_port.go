package orders

import (
	"context"
	"time"
)

// What couriers' phones need of a store, beside Store.

const (
	// MaxTrackFixes is how many fixes TrackStore.AddTrack takes at a time.
	MaxTrackFixes = 1000
	// MaxDevices is how many devices of a courier may be valid at a time.
	MaxDevices = 10

	// TrackFull is how long all fixes of an order's track are kept, TrackThin one a minute of them.
	TrackFull = 24 * time.Hour
	TrackThin = 30 * 24 * time.Hour
)

// TrackFix is one fix of an order's track as it is kept. What Data holds is its writer's own.
type TrackFix struct {
	Order   string
	Courier string
	At      time.Time // of the fix, milliseconds
	Device  uint64    // hash of the device's id
	Data    []byte    // at most 256 bytes
}

// TrackStore keeps where couriers went with an order. Every method may return Unavailable.
type TrackStore interface {
	// AddTrack writes fixes; one that is there already (order, time and device) is let go.
	AddTrack(ctx context.Context, fixes []TrackFix) error
	// Track reads at most limit fixes of an order behind a moment and device, by time.
	Track(ctx context.Context, order string, after time.Time, device uint64, limit int) ([]TrackFix, error)
	// DropTrack deletes an order's track and says how many fixes it had.
	DropTrack(ctx context.Context, order string) (int, error)
	// DropCourierTracks deletes at most limit fixes of a courier, whatever order they belong to, and says how many.
	DropCourierTracks(ctx context.Context, courier string, limit int) (int, error)
	// ThinTracks keeps of fixes older than t the first of each minute of each order. It looks at no minute twice, and at
	// most at limit fixes; it says how many it looked at.
	ThinTracks(ctx context.Context, t time.Time, limit int) (int, error)
	// DropTracks deletes at most limit fixes older than t, and says how many.
	DropTracks(ctx context.Context, t time.Time, limit int) (int, error)
}

// Device is a phone or an app that may add positions of its courier, and do nothing else.
type Device struct {
	ID        string // dev_ + UUIDv7
	Courier   string
	Name      string    // as people call it; may be ""
	TokenHash []byte    // SHA-256 of its token
	CreatedAt time.Time //
	RevokedAt time.Time // zero while it is valid
}

// DeviceStore keeps couriers' devices. Every method may return Unavailable.
type DeviceStore interface {
	// AddDevice stores a new device. Exhausted beyond MaxDevices valid ones of its courier.
	AddDevice(ctx context.Context, d Device) error
	// Devices lists those of a courier, newest first, revoked ones of the last 30 days included.
	Devices(ctx context.Context, courier string) ([]Device, error)
	// DeviceByToken finds a valid device. NotFound.
	DeviceByToken(ctx context.Context, hash []byte) (Device, error)
	// RevokeDevice ends a courier's device; one that has ended stays as it is. NotFound.
	RevokeDevice(ctx context.Context, courier, id string, at time.Time) error
}
