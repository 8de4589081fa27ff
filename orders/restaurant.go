package orders

import (
	"math"
	"time"
)

// Limits of a restaurant's data.
const (
	MaxMenu = 1_000 // items of a menu
)

// Restaurant is a merchant's outlet: opening data that changes seldom, and a menu.
type Restaurant struct {
	ID                   string     `json:"restaurantId"`
	Name                 string     `json:"name"`
	Lat                  float64    `json:"lat"` // WGS-84 degrees
	Lon                  float64    `json:"lon"`
	PrepMinutes          int        `json:"prepMinutes,omitempty"` // usual time of the kitchen; 0 = DefaultPrep
	AutoAccept           bool       `json:"autoAccept,omitempty"`  // confirmed without a person
	Proof                Proof      `json:"proof"`
	DeliveryRadiusMetres int        `json:"deliveryRadiusMetres,omitempty"` // 0 = no limit
	OpenPricing          bool       `json:"openPricing"`                    // without a menu, lines carry their own prices
	Menu                 []MenuItem `json:"menu,omitempty"`
	Version              int64      `json:"-"` // rises with each change; the ETag
	UpdatedAt            time.Time  `json:"-"`
}

// DefaultPrep is the kitchen time, in minutes, of a restaurant that named none.
const DefaultPrep = 20

// MenuItem is one dish. Available changes often and is a resource of its own.
type MenuItem struct {
	ItemID    string `json:"itemId"`
	Name      string `json:"name"`
	UnitPrice int64  `json:"unitPrice"` // minor units
	Available bool   `json:"available"`
}

// Item finds a menu item.
func (r *Restaurant) Item(id string) (MenuItem, bool) {
	for _, m := range r.Menu {
		if m.ItemID == id {
			return m, true
		}
	}
	return MenuItem{}, false
}

// prep is the usual kitchen time in minutes.
func (r *Restaurant) prep() int {
	if r.PrepMinutes > 0 {
		return min(r.PrepMinutes, MaxPrep)
	}
	return DefaultPrep
}

// Price gives each line its name and price: the menu's where there is a menu, else the line's own. It returns
// Unprocessable for an unknown item or a line without a price, Conflict naming every item that is sold out.
func (r *Restaurant) Price(lines []Item) ([]Item, error) {
	out := make([]Item, len(lines))
	var unknown, soldOut []FieldError
	for i, l := range lines {
		at := "/items/" + itoa(i)
		switch m, ok := r.Item(l.ItemID); {
		case len(r.Menu) > 0 && !ok:
			unknown = append(unknown, FieldError{at + "/itemId", "not on the menu: " + l.ItemID})
		case len(r.Menu) > 0 && !m.Available:
			soldOut = append(soldOut, FieldError{at + "/itemId", "sold out: " + l.ItemID})
		case len(r.Menu) > 0:
			l.Name, l.UnitPrice = m.Name, m.UnitPrice
		case !r.OpenPricing:
			return nil, fieldErr("/restaurantId", "this restaurant has no menu and takes no lines with their own prices")
		case l.Name == "":
			unknown = append(unknown, FieldError{at + "/name", "needed where the restaurant has no menu"})
		case l.UnitPrice < 0:
			unknown = append(unknown, FieldError{at + "/unitPrice", "needed where the restaurant has no menu"})
		}
		out[i] = l
	}
	if unknown != nil {
		e := Errorf(Unprocessable, "some lines cannot be ordered")
		e.Fields = unknown
		return nil, e
	}
	if soldOut != nil {
		e := Errorf(Conflict, "some items are sold out")
		e.Code, e.Fields = CodeItemSoldOut, soldOut
		return nil, e
	}
	return out, nil
}

// InArea reports whether the restaurant delivers to this place.
func (r *Restaurant) InArea(lat, lon float64) bool {
	return r.DeliveryRadiusMetres == 0 || Metres(r.Lat, r.Lon, lat, lon) <= float64(r.DeliveryRadiusMetres)
}

// earthRadius is the mean radius in metres (IUGG R1).
const earthRadius = 6_371_008.8

// Metres is the great-circle distance between two places in degrees (haversine).
func Metres(lat1, lon1, lat2, lon2 float64) float64 {
	const rad = math.Pi / 180
	dLat, dLon := (lat2-lat1)*rad, (lon2-lon1)*rad
	h := math.Pow(math.Sin(dLat/2), 2) + math.Cos(lat1*rad)*math.Cos(lat2*rad)*math.Pow(math.Sin(dLon/2), 2)
	return 2 * earthRadius * math.Asin(math.Sqrt(min(1, h)))
}
