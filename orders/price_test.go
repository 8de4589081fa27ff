package orders_test

import (
	"math"
	"slices"
	"testing"

	"doorbell/orders"
)

func TestPrice(t *testing.T) {
	menu := orders.Restaurant{Menu: []orders.MenuItem{
		{ItemID: "rice", Name: "Rice", UnitPrice: 1500, Available: true},
		{ItemID: "soup", Name: "Soup", UnitPrice: 2200},
		{ItemID: "tea", Name: "Tea", UnitPrice: 0, Available: true},
	}}
	open := orders.Restaurant{OpenPricing: true}
	both := menu
	both.OpenPricing = true
	for _, c := range []struct {
		name     string
		r        orders.Restaurant
		lines    []orders.Item
		want     []orders.Item
		kind     orders.Kind
		code     string
		pointers []string
	}{
		{"the menu's name and price count, not the customer's", menu,
			[]orders.Item{{ItemID: "rice", Name: "Free rice", Quantity: 2, UnitPrice: 1, Note: "hot"}},
			[]orders.Item{{ItemID: "rice", Name: "Rice", Quantity: 2, UnitPrice: 1500, Note: "hot"}}, "", "", nil},
		{"nor with open pricing beside the menu", both, []orders.Item{{ItemID: "rice", Quantity: 1, UnitPrice: 1}},
			[]orders.Item{{ItemID: "rice", Name: "Rice", Quantity: 1, UnitPrice: 1500}}, "", "", nil},
		{"what is free on the menu is free", menu, []orders.Item{{ItemID: "tea", Quantity: 1, UnitPrice: 9}},
			[]orders.Item{{ItemID: "tea", Name: "Tea", Quantity: 1}}, "", "", nil},
		{"the same item twice stays two lines", menu, []orders.Item{{ItemID: "rice", Quantity: 1, Note: "a"}, {ItemID: "rice", Quantity: 1, Note: "b"}},
			[]orders.Item{{ItemID: "rice", Name: "Rice", Quantity: 1, UnitPrice: 1500, Note: "a"}, {ItemID: "rice", Name: "Rice", Quantity: 1, UnitPrice: 1500, Note: "b"}}, "", "", nil},
		{"what is not on the menu is named", menu, []orders.Item{{ItemID: "rice"}, {ItemID: "eel"}, {ItemID: ""}}, nil,
			orders.Unprocessable, "", []string{"/items/1/itemId", "/items/2/itemId"}},
		{"with open pricing beside the menu too", both, []orders.Item{{ItemID: "eel", Name: "Eel", UnitPrice: 5}}, nil,
			orders.Unprocessable, "", []string{"/items/0/itemId"}},
		{"what is sold out is named", menu, []orders.Item{{ItemID: "soup"}, {ItemID: "rice"}, {ItemID: "soup"}}, nil,
			orders.Conflict, orders.CodeItemSoldOut, []string{"/items/0/itemId", "/items/2/itemId"}},
		{"what is unknown comes first", menu, []orders.Item{{ItemID: "soup"}, {ItemID: "eel"}}, nil,
			orders.Unprocessable, "", []string{"/items/1/itemId"}},
		{"without a menu the line says it", open, []orders.Item{{ItemID: "eel", Name: "Eel", Quantity: 1, UnitPrice: 5}},
			[]orders.Item{{ItemID: "eel", Name: "Eel", Quantity: 1, UnitPrice: 5}}, "", "", nil},
		{"without a menu each line needs a name and a price", open, []orders.Item{{ItemID: "a", UnitPrice: 1}, {ItemID: "b", Name: "B", UnitPrice: -1}}, nil,
			orders.Unprocessable, "", []string{"/items/0/name", "/items/1/unitPrice"}},
		{"without a menu and open pricing nothing can be ordered", orders.Restaurant{}, []orders.Item{{ItemID: "a", Name: "A", UnitPrice: 1}}, nil,
			orders.Unprocessable, "", []string{"/restaurantId"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			given := slices.Clone(c.lines)
			got, err := c.r.Price(c.lines)
			if !slices.Equal(c.lines, given) {
				t.Error("it changed the lines it was given")
			}
			if c.kind == "" {
				if err != nil || !slices.Equal(got, c.want) {
					t.Errorf("%+v, %v", got, err)
				}
				return
			}
			var e *orders.Error
			if !as(err, &e) || e.Kind != c.kind || e.Code != c.code || got != nil {
				t.Fatalf("%+v, %+v", got, err)
			}
			var at []string
			for _, f := range e.Fields {
				at = append(at, f.Pointer)
			}
			if !slices.Equal(at, c.pointers) {
				t.Errorf("points at %q, want %q", at, c.pointers)
			}
		})
	}
}

// Golden distances: arcs of a sphere of 6,371,008.8 m; those that are no simple arc come from the atan2 form of the
// great circle, which shares no step with the haversine.
func TestMetres(t *testing.T) {
	const r = 6_371_008.8
	for _, c := range []struct {
		name                   string
		lat1, lon1, lat2, lon2 float64
		want, within           float64
	}{
		{"here", 31.2304, 121.4737, 31.2304, 121.4737, 0, 0},
		{"a degree of latitude", 0, 0, 1, 0, r * math.Pi / 180, 1e-6},
		{"a degree of longitude on the equator", 0, 10, 0, 11, r * math.Pi / 180, 1e-6},
		{"a degree of longitude at 60 north", 60, 0, 60, 1, 55_597.011, 0.01},
		{"from pole to pole", 90, 0, -90, 0, r * math.Pi, 1e-6},
		{"to the other side", 12, 34, -12, -146, r * math.Pi, 1},
		{"over the date line", 0, 179.5, 0, -179.5, r * math.Pi / 180, 1e-6},
		{"five decimals", 31.23040, 121.47370, 31.23041, 121.47370, 1.1119508, 1e-6},
		{"Beijing to Shanghai", 39.9042, 116.4074, 31.2304, 121.4737, 1_067_311.645, 0.01},
		{"Paris to New York", 48.8566, 2.3522, 40.7128, -74.0060, 5_837_248.967, 0.01},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, back := orders.Metres(c.lat1, c.lon1, c.lat2, c.lon2), orders.Metres(c.lat2, c.lon2, c.lat1, c.lon1)
			if math.Abs(got-c.want) > c.within {
				t.Errorf("%f m, want %f", got, c.want)
			}
			if math.Abs(got-back) > 1e-6 {
				t.Errorf("%f m there, %f m back", got, back)
			}
		})
	}
}

func TestInArea(t *testing.T) {
	door := struct{ lat, lon float64 }{31.2394, 121.4737} // 1000.8 m north
	for radius, want := range map[int]bool{0: true, 1: false, 1000: false, 1001: true, 100_000: true} {
		r := orders.Restaurant{Lat: 31.2304, Lon: 121.4737, DeliveryRadiusMetres: radius}
		if got := r.InArea(door.lat, door.lon); got != want {
			t.Errorf("within %d m: %v", radius, got)
		}
	}
	r := orders.Restaurant{Lat: 31.2304, Lon: 121.4737, DeliveryRadiusMetres: 30_000_000}
	if r.InArea(math.NaN(), 0) {
		t.Error("nowhere is within the area")
	}
}
