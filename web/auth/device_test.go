package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"doorbell/orders"
	"doorbell/orders/store/sqlite"
)

// counting is a real store that counts how often it is asked whose a token is, and fails on demand.
type counting struct {
	orders.DeviceStore
	asked   int
	failing error
	during  func() // called while the answer is on its way
}

func (c *counting) DeviceByToken(ctx context.Context, hash []byte) (orders.Device, error) {
	c.asked++
	if c.failing != nil {
		return orders.Device{}, c.failing
	}
	d, err := c.DeviceStore.DeviceByToken(ctx, hash)
	if c.during != nil {
		c.during()
	}
	return d, err
}

func newDevices(t *testing.T) (*Devices, *counting, *clock) {
	t.Helper()
	st, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- st.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, st.Close()); err != nil {
			t.Error(err)
		}
	})
	store, now := &counting{DeviceStore: st}, &clock{}
	d, err := NewDevices(store, now.now)
	if err != nil {
		t.Fatal(err)
	}
	return d, store, now
}

func TestDevices(t *testing.T) {
	ctx := t.Context()
	d, store, now := newDevices(t)
	dev, token, err := d.Add(ctx, "cou_1", "the old phone", now.now())
	if err != nil || !strings.HasPrefix(dev.ID, "dev_") || len(token) != deviceTokenSize {
		t.Fatal(dev, token, err)
	}
	find := func(token, want string) {
		t.Helper()
		got, err := d.Find(ctx, token)
		if got.ID != want || want == "" && orders.KindOf(err) != orders.Unauthenticated || want != "" && (err != nil || got.Courier != "cou_1") {
			t.Errorf("%+v, %v, want %q", got, err, want)
		}
	}
	times := func(want int) {
		t.Helper()
		if store.asked != want {
			t.Errorf("the store was asked %d times, want %d", store.asked, want)
		}
		store.asked = 0
	}

	t.Run("OnlyTheHashIsStored", func(t *testing.T) {
		list, err := d.List(ctx, "cou_1")
		hash := sha256.Sum256([]byte(token))
		if err != nil || len(list) != 1 || list[0].Name != "the old phone" || !slices.Equal(list[0].TokenHash, hash[:]) {
			t.Errorf("%+v, %v", list, err)
		}
	})

	t.Run("ATokenIsLookedUpEveryTenSeconds", func(t *testing.T) {
		for range 5 {
			find(token, dev.ID)
		}
		times(1)
		now.advance(devicesKnown + time.Second)
		find(token, dev.ID)
		times(1)
	})

	t.Run("AnUnknownOneToo", func(t *testing.T) {
		for range 5 {
			find(DeviceTokenPrefix+strings.Repeat("A", 32), "")
		}
		times(1)
	})

	t.Run("WhatIsNoTokenIsNotLookedUp", func(t *testing.T) {
		for _, s := range []string{"", "x", token + "A", token[:len(token)-1], "dvc_" + strings.Repeat("/", 32), strings.Repeat("A", 36),
			DeviceTokenPrefix + strings.Repeat("A", 31) + "\n", DeviceTokenPrefix + strings.Repeat("A", 1<<20)} {
			find(s, "")
		}
		times(0)
	})

	t.Run("AStoreThatIsAwayIsNotAnUnknownToken", func(t *testing.T) {
		now.advance(time.Minute)
		store.failing = orders.Errorf(orders.Unavailable, "the database is away")
		if _, err := d.Find(ctx, token); orders.KindOf(err) != orders.Unavailable {
			t.Error(err)
		}
		store.failing = nil
		find(token, dev.ID)
		store.asked = 0
	})

	t.Run("ARevokedOneStopsAtOnce", func(t *testing.T) {
		if err := d.Revoke(ctx, "cou_2", dev.ID, now.now()); orders.KindOf(err) != orders.NotFound {
			t.Errorf("another courier's: %v", err)
		}
		find(token, dev.ID)
		for range 2 {
			if err := d.Revoke(ctx, "cou_1", dev.ID, now.now()); err != nil {
				t.Error(err)
			}
			find(token, "")
		}
		now.advance(time.Hour)
		find(token, "")
	})

	t.Run("AlsoWhileItIsLookedUp", func(t *testing.T) {
		dev, token, err := d.Add(ctx, "cou_1", "", now.now())
		if err != nil {
			t.Fatal(err)
		}
		store.during = func() { _ = d.Revoke(ctx, "cou_1", dev.ID, now.now()) }
		find(token, "")
		store.during = nil
		find(token, "")
		now.advance(devicesKnown + time.Second)
		find(token, "")
	})
}

func TestDeviceToken(t *testing.T) {
	for name, c := range map[string]struct {
		headers []string
		want    string
	}{
		"basic":               {[]string{"Basic cjc6c2VjcmV0"}, "secret"},
		"basic, no user":      {[]string{"Basic OnNlY3JldA=="}, "secret"},
		"basic, no password":  {[]string{"Basic cjc6"}, ""},
		"basic, broken":       {[]string{"Basic cjc6c2V!"}, ""},
		"bearer":              {[]string{"Bearer secret"}, "secret"},
		"two":                 {[]string{"Basic cjc6c2VjcmV0", "Bearer secret"}, ""},
		"none":                {nil, ""},
		"another scheme":      {[]string{"Digest secret"}, ""},
		"the token by itself": {[]string{"secret"}, ""},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		for _, h := range c.headers {
			r.Header.Add("Authorization", h)
		}
		got, err := DeviceToken(r)
		if got != c.want || c.want == "" && orders.KindOf(err) != orders.Unauthenticated {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
