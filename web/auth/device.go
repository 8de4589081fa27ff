package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/maypok86/otter/v2"

	"doorbell/orders"
)

// DeviceTokenPrefix is how the token of a courier's device begins, so that one is known where it should not be.
const DeviceTokenPrefix = "dvc_"

// The secret half of a device's token, in bytes, and the length of the whole.
const (
	deviceSecret    = 24
	deviceTokenSize = len(DeviceTokenPrefix) + deviceSecret*4/3
)

// devicesKnown is how long a device's token is believed without asking the store again: so long one that was revoked on
// another node may still add positions.
const devicesKnown = 10 * time.Second

// maxDevices is how many tokens one node remembers: some 30 MB.
const maxDevices = 100_000

// Devices makes, finds and revokes the tokens of couriers' devices. A token is a secret of 192 bits; only its SHA-256 is
// stored.
type Devices struct {
	store   orders.DeviceStore
	known   *otter.Cache[[sha256.Size]byte, orders.Device] // by the token's hash; no ID = there is none
	revoked *otter.Cache[string, struct{}]                 // ids, here and just now
}

// NewDevices makes Devices that keep them in a store. now is the clock, nil for the real one.
func NewDevices(store orders.DeviceStore, now func() time.Time) (*Devices, error) {
	if now == nil {
		now = time.Now
	}
	known, err := otter.New(&otter.Options[[sha256.Size]byte, orders.Device]{
		MaximumSize: maxDevices, ExpiryCalculator: otter.ExpiryWriting[[sha256.Size]byte, orders.Device](devicesKnown), Clock: cacheClock(now),
	})
	if err != nil {
		return nil, fmt.Errorf("auth: cache of devices: %w", err)
	}
	revoked, err := otter.New(&otter.Options[string, struct{}]{
		MaximumSize: maxDevices, ExpiryCalculator: otter.ExpiryWriting[string, struct{}](2 * devicesKnown), Clock: cacheClock(now),
	})
	if err != nil {
		return nil, fmt.Errorf("auth: cache of revoked devices: %w", err)
	}
	return &Devices{store: store, known: known, revoked: revoked}, nil
}

// Add makes a device of a courier and its token, which is not to be had again. Exhausted beyond orders.MaxDevices,
// Unavailable.
func (d *Devices) Add(ctx context.Context, courier, name string, now time.Time) (dev orders.Device, token string, err error) {
	secret := make([]byte, deviceSecret)
	_, _ = rand.Read(secret) // never fails, see crypto/rand
	token = DeviceTokenPrefix + base64.RawURLEncoding.EncodeToString(secret)
	hash := sha256.Sum256([]byte(token))
	dev = orders.Device{
		ID: "dev_" + uuid.Must(uuid.NewV7()).String(), Courier: courier, Name: name, TokenHash: hash[:], CreatedAt: now.UTC().Truncate(time.Millisecond),
	}
	if err := d.store.AddDevice(ctx, dev); err != nil {
		return orders.Device{}, "", err
	}
	d.known.Invalidate(hash)
	return dev, token, nil
}

// List is a courier's devices, newest first, revoked ones of the last 30 days included. Unavailable.
func (d *Devices) List(ctx context.Context, courier string) ([]orders.Device, error) {
	return d.store.Devices(ctx, courier)
}

// Revoke ends a courier's device: here at once, on other nodes within 10 s. NotFound, Unavailable.
func (d *Devices) Revoke(ctx context.Context, courier, id string, now time.Time) error {
	if err := d.store.RevokeDevice(ctx, courier, id, now); err != nil {
		return err
	}
	d.revoked.Set(id, struct{}{})
	return nil
}

// Find is the device that a token belongs to. Unauthenticated: it belongs to none, or to one that was revoked.
// Unavailable.
func (d *Devices) Find(ctx context.Context, token string) (orders.Device, error) {
	if len(token) != deviceTokenSize || !strings.HasPrefix(token, DeviceTokenPrefix) || !isToken(token) {
		return orders.Device{}, refuse("not a device's token")
	}
	hash := sha256.Sum256([]byte(token))
	dev, ok := d.known.GetIfPresent(hash)
	if !ok {
		var err error
		dev, err = d.store.DeviceByToken(ctx, hash[:])
		switch orders.KindOf(err) {
		case "":
		case orders.NotFound:
			dev = orders.Device{} // remembered too: a phone that was revoked goes on for days
		default:
			return orders.Device{}, err
		}
		d.known.Set(hash, dev)
	}
	// Asked for behind the store's answer, which may have been read before the revocation.
	if _, gone := d.revoked.GetIfPresent(dev.ID); gone || dev.ID == "" {
		return orders.Device{}, refuse("the device is unknown or was revoked")
	}
	return dev, nil
}

// DeviceToken is the credential in the request's Authorization header: the password of HTTP Basic, whatever the user, or a
// bearer token. Unauthenticated: there is none.
func DeviceToken(r *http.Request) (string, error) {
	if len(r.Header["Authorization"]) == 1 {
		if _, password, ok := r.BasicAuth(); ok {
			if password == "" {
				return "", refuse("no password: the device's token belongs there")
			}
			return password, nil
		}
	}
	return Bearer(r)
}
