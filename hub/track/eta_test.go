package track_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"doorbell/hub/track"
	"doorbell/orders"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func minute(m float64) time.Time { return noon.Add(time.Duration(m * float64(time.Minute))) }

// north is a place some metres north of home.
func north(metres float64) track.Place {
	return track.Place{Lat: homeLat + metres/degree, Lon: homeLon}
}

// Rides: a courier on an unnamed vehicle does 5 m/s, and streets are 1.4 times the line: 1,500 m take seven minutes.
func TestFormula(t *testing.T) {
	merchant, home := north(1500), north(0)
	kitchen := track.Facts{Status: orders.Preparing, Delivery: orders.Unassigned, PrepMinutes: 20, PrepFrom: noon, Merchant: merchant, Customer: home}
	onWay := track.Facts{Status: orders.OnDelivery, Delivery: orders.PickedUp, PickedUpAt: noon, Merchant: merchant, Customer: home,
		Courier: merchant, CourierAt: noon}
	with := func(f track.Facts, change func(*track.Facts)) track.Facts { change(&f); return f }
	for _, c := range []struct {
		name  string
		facts track.Facts
		now   float64 // minutes past noon
		want  float64 // minutes past noon
	}{
		{"KitchenThenRideThenDoor", kitchen, 0, 20 + 7 + 3},
		{"KitchenGoesOn", kitchen, 10, 20 + 7 + 3},
		{"KitchenIsLate", kitchen, 40, 40 + 5 + 7 + 3}, // and nobody is there yet
		{"KitchenIsLateCourierWaits", with(kitchen, func(f *track.Facts) { f.Delivery = orders.AtMerchant }), 40, 40 + 1 + 7 + 3},
		{"ReadyAndNobodyAssigned", with(kitchen, func(f *track.Facts) { f.ReadyAt = noon }), 0, 5 + 7 + 3},
		{"ReadyAndCourierThere", with(kitchen, func(f *track.Facts) { f.ReadyAt, f.Delivery = noon, orders.AtMerchant }), 0, 7 + 3},
		{"CourierComesLaterThanTheFood", with(kitchen, func(f *track.Facts) {
			f.ReadyAt, f.Delivery, f.Courier, f.CourierAt = noon, orders.Assigned, north(4500), noon
		}), 0, 14 + 7 + 3},
		{"CourierComesBeforeTheFood", with(kitchen, func(f *track.Facts) {
			f.Delivery, f.Courier, f.CourierAt = orders.Assigned, north(4500), noon
		}), 0, 20 + 7 + 3},
		{"CourierHasAnotherStopFirst", with(kitchen, func(f *track.Facts) {
			f.ReadyAt, f.Delivery, f.Courier, f.CourierAt = noon, orders.Assigned, north(4500), noon
			f.Ahead = []track.Place{north(6000)}
		}), 0, 7 + 3 + 21 + 7 + 3},
		{"MerchantNowhere", with(kitchen, func(f *track.Facts) { f.Merchant = track.Place{} }), 0, 20 + 10 + 3},
		{"OnItsWay", onWay, 0, 7 + 3},
		{"OnItsWayHalf", with(onWay, func(f *track.Facts) { f.Courier, f.CourierAt = north(750), minute(3) }), 3, 3 + 3.5 + 3},
		{"NoFixForAWhile", onWay, 5, 7 + 3}, // stands still
		{"NoFixForLong", onWay, 30, 30 + 3},
		{"FixFromTheFuture", with(onWay, func(f *track.Facts) { f.CourierAt = minute(9) }), 0, 7 + 3},
		{"NoFixAtAll", with(onWay, func(f *track.Facts) { f.Courier = track.Place{} }), 2, 7 + 3},
		{"Fast", with(onWay, func(f *track.Facts) { f.Pace, f.Vehicle = 20, "scooter" }), 0, 1500*1.4/8/60 + 3},
		{"StopsAhead", with(onWay, func(f *track.Facts) { f.Ahead = []track.Place{north(3000), {}} }), 0, 7 + 3 + 3 + 14 + 3},
		{"AtTheDoor", with(onWay, func(f *track.Facts) { f.Delivery = orders.AtCustomer }), 1, 1 + 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, ok := track.Formula{}.Estimate(c.facts, minute(c.now))
			if !ok {
				t.Fatal("nothing to say")
			}
			if d := e.At.Sub(minute(c.want)).Abs(); d > time.Second {
				t.Errorf("in %v, want %v", e.At.Sub(minute(c.now)), minute(c.want).Sub(minute(c.now)))
			}
		})
	}
	for _, s := range []orders.Status{"", orders.Pending, orders.Completed, orders.Cancelled, orders.Failed} {
		if e, ok := (track.Formula{}).Estimate(with(onWay, func(f *track.Facts) { f.Status = s }), noon); ok || e != (track.Estimate{}) {
			t.Errorf("%q: %v", s, e)
		}
	}
	e, _ := track.Formula{}.Estimate(with(onWay, func(f *track.Facts) { f.Low, f.High = 0.5, 2 }), noon)
	if e.Earliest.Sub(noon).Round(time.Second) != 330*time.Second || e.Latest.Sub(noon).Round(time.Second) != 18*time.Minute {
		t.Errorf("between %v and %v", e.Earliest.Sub(noon), e.Latest.Sub(noon))
	}
}

func TestFactsOf(t *testing.T) {
	o := &orders.Order{Status: orders.OnDelivery, PrepMinutes: 7, PrepFrom: noon, ReadyAt: minute(1), Address: orders.Address{Lat: 1, Lon: 2},
		Delivery: orders.Delivery{Status: orders.PickedUp, PickedUpAt: minute(2), Courier: &orders.Courier{Vehicle: "car"}}}
	f := track.FactsOf(o, track.Place{Lat: 3, Lon: 4})
	if f.Status != o.Status || f.Delivery != orders.PickedUp || f.PrepMinutes != 7 || f.PrepFrom != noon || f.ReadyAt != minute(1) ||
		f.PickedUpAt != minute(2) || f.Merchant != (track.Place{Lat: 3, Lon: 4}) || f.Customer != (track.Place{Lat: 1, Lon: 2}) || f.Vehicle != "car" {
		t.Errorf("%+v", f)
	}
}

// Whatever the facts: never over before the food is there, and the range is around it.
func TestFormula_NeverOver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		place := rapid.OneOf(rapid.Just(track.Place{}), rapid.Map(rapid.Float64Range(-50_000, 50_000), north))
		when := rapid.OneOf(rapid.Just(time.Time{}), rapid.Map(rapid.Float64Range(-300, 300), minute))
		f := track.Facts{
			Status:      rapid.SampledFrom([]orders.Status{orders.Confirmed, orders.Preparing, orders.OnDelivery}).Draw(t, "status"),
			Delivery:    rapid.SampledFrom([]orders.DeliveryStatus{orders.Unassigned, orders.Assigned, orders.AtMerchant, orders.PickedUp, orders.AtCustomer}).Draw(t, "delivery"),
			PrepMinutes: rapid.IntRange(0, orders.MaxPrep).Draw(t, "prep"), PrepFrom: when.Draw(t, "from"), ReadyAt: when.Draw(t, "ready"),
			PickedUpAt: when.Draw(t, "picked up"), CourierAt: when.Draw(t, "fix"),
			Merchant: place.Draw(t, "merchant"), Customer: place.Draw(t, "customer"), Courier: place.Draw(t, "courier"),
			Vehicle: rapid.SampledFrom([]string{"", "foot", "scooter"}).Draw(t, "vehicle"), Pace: rapid.Float64().Draw(t, "pace"),
			Ahead: rapid.SliceOfN(place, 0, 3).Draw(t, "ahead"),
			Low:   rapid.Float64().Draw(t, "low"), High: rapid.Float64Range(0, 3).Draw(t, "high"),
		}
		e, ok := track.Formula{}.Estimate(f, noon)
		if !ok || e.Earliest.Before(minute(1)) || e.At.Before(e.Earliest) || e.Latest.Before(e.At) {
			t.Errorf("%v: %v, %v, %v from now", ok, e.Earliest.Sub(noon), e.At.Sub(noon), e.Latest.Sub(noon))
		}
		if e.At.After(noon.Add(48 * time.Hour)) {
			t.Errorf("in %v", e.At.Sub(noon))
		}
	})
}

func TestMinutesLeft(t *testing.T) {
	for m, want := range map[float64]int{-5: 1, 0: 1, 0.5: 1, 1: 1, 1.01: 2, 4: 4, 4.5: 5, 60: 60} {
		if got := track.MinutesLeft(minute(m), noon); got != want {
			t.Errorf("%v minutes: %d, want %d", m, got, want)
		}
	}
}

func TestChange(t *testing.T) {
	for _, c := range []struct {
		name               string
		shown, fresh, kept float64 // minutes from now
		send               bool
	}{
		{"ALittle", 20, 19.5, 20, false},
		{"AMinuteSooner", 20, 19, 20, false},
		{"MoreThanAMinuteSooner", 20, 18.9, 18.9, true},
		{"LessThanAMinuteLater", 20, 20.99, 20, false},
		{"AMinuteLater", 20, 21, 21, true},
		{"UnderFiveTheMinuteChanges", 4.2, 3.9, 3.9, true},
		{"UnderFiveTheMinuteStays", 3.9, 3.2, 3.9, false},
		{"IntoTheLastFive", 5.5, 4.9, 5.5, false}, // from "6" to "5" is not below five
		{"BelowFive", 4.5, 4, 4, true},
		{"UnderFiveButLater", 2.5, 3.2, 2.5, false},
		{"OverAndNotThere", 0, 0.5, 1, true},
		{"LongOver", -10, 1, 1, true},
		{"JustOver", -0.5, 0.4, 0.5, true},
		{"Same", 20, 20, 20, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			as := func(m float64) track.Estimate {
				return track.Estimate{At: minute(m), Earliest: minute(m - 1), Latest: minute(m + 0.1)}
			}
			keep, send := track.Change(as(c.shown), as(c.fresh), noon)
			if keep.At != minute(c.kept) || send != c.send || keep.Latest.Before(keep.At) {
				t.Errorf("keeps %v, sends %v", keep.At.Sub(noon), send)
			}
		})
	}
	if _, send := track.Change(track.Estimate{}, track.Estimate{At: noon}, noon); !send {
		t.Error("the first is sent")
	}
}

// However estimates come: what people see is never put off by less than a minute, and the last kept is never off by more.
func TestChange_NeverCreeps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now, shown := noon, track.Estimate{}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(2*time.Minute)).Draw(t, "pause")))
			fresh := track.Estimate{At: now.Add(time.Duration(rapid.Int64Range(int64(time.Minute), int64(20*time.Minute)).Draw(t, "left")))}
			keep, send := track.Change(shown, fresh, now)
			if d := keep.At.Sub(shown.At); !shown.At.IsZero() && d > 0 && d < time.Minute {
				t.Errorf("put off by %v", d)
			}
			if d := fresh.At.Sub(keep.At).Abs(); d > time.Minute {
				t.Errorf("off by %v", d)
			}
			if !send && keep != shown {
				t.Error("changed and not sent")
			}
			shown = keep
		}
	})
}
