package storetest

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"doorbell/orders"
)

// device is a courier's n-th, made so many seconds ago as n is below 1000.
func device(courier string, n int) orders.Device {
	at := time.Now().UTC().Truncate(time.Minute).Add(time.Duration(n-1000) * time.Second)
	hash := sha256.Sum256(fmt.Append(nil, courier, n))
	return orders.Device{
		ID: "dev_" + orders.NewID(at)[len(orders.IDPrefix):], Courier: courier, Name: fmt.Sprint("phone ", n),
		TokenHash: hash[:], CreatedAt: at,
	}
}

// addDevice stores a device, which must be taken.
func (e Engine) addDevice(t *testing.T, courier string, n int) orders.Device {
	t.Helper()
	d := device(courier, n)
	if err := e.AddDevice(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	return d
}

func devices(t *testing.T, e Engine) {
	e.start(t)
	d, other := e.addDevice(t, "cou_1", 1), e.addDevice(t, "cou_1", 2)
	found := func(d orders.Device) {
		t.Helper()
		if got, err := e.DeviceByToken(t.Context(), d.TokenHash); err != nil || !reflect.DeepEqual(got, d) {
			t.Errorf("got  %+v, %v\nwant %+v", got, err, d)
		}
	}
	found(d)
	found(other)
	for _, hash := range [][]byte{nil, {}, d.TokenHash[:31], append(d.TokenHash[:31:31], d.TokenHash[31]+1)} {
		_, err := e.DeviceByToken(t.Context(), hash)
		wantKind(t, err, orders.NotFound)
	}

	at := d.CreatedAt.Add(time.Minute)
	wantKind(t, e.RevokeDevice(t.Context(), "cou_2", d.ID, at), orders.NotFound)
	wantKind(t, e.RevokeDevice(t.Context(), "cou_1", "dev_x", at), orders.NotFound)
	found(d)
	for i := range 2 { // the second time changes nothing
		if err := e.RevokeDevice(t.Context(), "cou_1", d.ID, at.Add(time.Duration(i)*time.Hour)); err != nil {
			t.Error(err)
		}
		_, err := e.DeviceByToken(t.Context(), d.TokenHash)
		wantKind(t, err, orders.NotFound)
	}
	found(other)
	d.RevokedAt = at
	if got, err := e.Devices(t.Context(), "cou_1"); err != nil || !reflect.DeepEqual(got, []orders.Device{other, d}) {
		t.Errorf("listed %+v, %v", got, err)
	}
}

func devicesListed(t *testing.T, e Engine) {
	e.start(t)
	var want []orders.Device
	for n, revoked := range []time.Duration{0, 31 * 24 * time.Hour, 29 * 24 * time.Hour, 0} {
		d := e.addDevice(t, "cou_1", n)
		if revoked > 0 {
			d.RevokedAt = d.CreatedAt.Add(-revoked)
			if err := e.RevokeDevice(t.Context(), "cou_1", d.ID, d.RevokedAt); err != nil {
				t.Fatal(err)
			}
		}
		if n != 1 {
			want = append([]orders.Device{d}, want...)
		}
	}
	e.addDevice(t, "cou_2", 1)
	if got, err := e.Devices(t.Context(), "cou_1"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
	if got, err := e.Devices(t.Context(), "cou_3"); err != nil || len(got) != 0 {
		t.Errorf("devices of nobody: %+v, %v", got, err)
	}
}

func deviceLimit(t *testing.T, e Engine) {
	e.start(t)
	var all []orders.Device
	for n := range orders.MaxDevices {
		all = append(all, e.addDevice(t, "cou_1", n))
	}
	d := device("cou_1", 100)
	wantKind(t, e.AddDevice(t.Context(), d), orders.Exhausted)
	_, err := e.DeviceByToken(t.Context(), d.TokenHash)
	wantKind(t, err, orders.NotFound)
	e.addDevice(t, "cou_2", 1)

	if err := e.RevokeDevice(t.Context(), "cou_1", all[3].ID, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := e.AddDevice(t.Context(), d); err != nil {
		t.Error(err)
	}
	wantKind(t, e.AddDevice(t.Context(), device("cou_1", 101)), orders.Exhausted)
}

func deviceRace(t *testing.T, e Engine) {
	e.start(t)
	if added := DeviceRace(t, e); added != orders.MaxDevices {
		t.Errorf("%d were added", added)
	}
	if got, err := e.Devices(t.Context(), "cou_1"); err != nil || len(got) != orders.MaxDevices {
		t.Errorf("%d devices, %v", len(got), err)
	}
}

// DeviceRace adds forty devices of the courier cou_1 at once, at these stores in turn, and says how many were taken.
func DeviceRace(t *testing.T, stores ...orders.DeviceStore) int {
	t.Helper()
	var added atomic.Int64
	var wg sync.WaitGroup
	for n := range 40 {
		wg.Go(func() {
			switch err := stores[n%len(stores)].AddDevice(t.Context(), device("cou_1", n)); {
			case err == nil:
				added.Add(1)
			case orders.KindOf(err) != orders.Exhausted:
				t.Errorf("told %v", err)
			}
		})
	}
	wg.Wait()
	return int(added.Load())
}

func deviceOnce(t *testing.T, e Engine) {
	e.start(t)
	d := e.addDevice(t, "cou_1", 1)
	sameID, sameToken := device("cou_2", 2), device("cou_2", 3)
	sameID.ID, sameToken.TokenHash = d.ID, d.TokenHash
	wantKind(t, e.AddDevice(t.Context(), sameID), orders.Internal)
	wantKind(t, e.AddDevice(t.Context(), sameToken), orders.Internal)
	if got, err := e.DeviceByToken(t.Context(), d.TokenHash); err != nil || !reflect.DeepEqual(got, d) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func deviceCommitMade(t *testing.T, e Engine) {
	if e.BreakCommit == nil {
		t.Skip("this engine cannot lose the answer of a commit")
	}
	e.start(t)
	e.BreakCommit(true)
	e.addDevice(t, "cou_1", 1)
	e.BreakCommit(false)
	wantKind(t, e.AddDevice(t.Context(), device("cou_1", 2)), orders.Unavailable)
	if got, err := e.Devices(t.Context(), "cou_1"); err != nil || len(got) != 1 {
		t.Errorf("%d devices, %v", len(got), err)
	}
}
