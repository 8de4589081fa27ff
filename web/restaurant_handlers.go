package web

import (
	"net/http"
	"slices"

	"doorbell/orders"
	"doorbell/web/api"
)

// menuCache lets everybody keep what seldom changes: opening data and the menu, not what is sold out.
const menuCache = "max-age=3600, public"

// GetRestaurant is GET /restaurants/{restaurantId}.
func (s *Server) GetRestaurant(w http.ResponseWriter, r *http.Request, id api.RestaurantID, _ api.GetRestaurantParams) {
	known, err := parseTags("If-None-Match", r.Header.Values("If-None-Match"))
	if err != nil {
		fail(w, r, err)
		return
	}
	rest, err := s.Orders.Restaurant(r.Context(), id)
	if err != nil {
		fail(w, r, err)
		return
	}
	w.Header().Set("ETag", etag(rest.Version))
	w.Header().Set("Cache-Control", menuCache)
	if known.has(rest.Version) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	answer(w, r, http.StatusOK, restaurantView(rest))
}

// PutRestaurant is PUT /restaurants/{restaurantId}.
func (s *Server) PutRestaurant(w http.ResponseWriter, r *http.Request, id api.RestaurantID, _ api.PutRestaurantParams) {
	req, err := decode[api.RestaurantRequest](r)
	if err != nil {
		fail(w, r, err)
		return
	}
	match, err := parseTags("If-Match", r.Header.Values("If-Match"))
	if err != nil {
		fail(w, r, err)
		return
	}
	rest, created, err := s.Orders.PutRestaurant(r.Context(), restaurantOf(id, req), match.match())
	if err != nil {
		fail(w, r, err)
		return
	}
	code := http.StatusOK
	if created {
		code = http.StatusCreated
	}
	w.Header().Set("ETag", etag(rest.Version))
	w.Header().Set("Cache-Control", "no-cache")
	answer(w, r, code, restaurantView(rest))
}

// GetItem is GET /restaurants/{restaurantId}/items/{itemId}: small, and never out of date.
func (s *Server) GetItem(w http.ResponseWriter, r *http.Request, id api.RestaurantID, item api.ItemID) {
	rest, err := s.Orders.Restaurant(r.Context(), id)
	s.answerItem(w, r, rest, item, err)
}

// PatchItem is PATCH /restaurants/{restaurantId}/items/{itemId}. If-Match names the restaurant's version.
func (s *Server) PatchItem(w http.ResponseWriter, r *http.Request, id api.RestaurantID, item api.ItemID, _ api.PatchItemParams) {
	req, err := decode[api.ItemPatch](r)
	if err != nil {
		fail(w, r, err)
		return
	}
	match, err := parseTags("If-Match", r.Header.Values("If-Match"))
	if err != nil {
		fail(w, r, err)
		return
	}
	rest, err := s.Orders.PatchItem(r.Context(), id, item, orders.ItemPatch{
		Available: req.Available, Name: req.Name, UnitPrice: req.UnitPrice,
	}, match.match())
	s.answerItem(w, r, rest, item, err)
}

func (s *Server) answerItem(w http.ResponseWriter, r *http.Request, rest *orders.Restaurant, item string, err error) {
	if err != nil {
		fail(w, r, err)
		return
	}
	m, ok := rest.Item(item)
	if !ok {
		fail(w, r, orders.Errorf(orders.NotFound, "no such item on the menu"))
		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	answer(w, r, http.StatusOK, api.MenuItem{ItemID: m.ItemID, Name: m.Name, UnitPrice: m.UnitPrice, Available: m.Available})
}

// ownsRestaurant reports whether the caller may write this restaurant.
func ownsRestaurant(c orders.Caller, id string) bool {
	return c.Role == orders.RoleOps || c.Role == orders.RoleMerchant && slices.Contains(c.Restaurants, id)
}

func restaurantOf(id string, req api.RestaurantRequest) orders.Restaurant {
	r := orders.Restaurant{
		ID: id, Name: req.Name, Lat: req.Lat, Lon: req.Lon, PrepMinutes: req.PrepMinutes, AutoAccept: req.AutoAccept,
		Proof: req.Proof, DeliveryRadiusMetres: req.DeliveryRadiusMetres, OpenPricing: true,
	}
	if r.Proof == "" {
		r.Proof = orders.ProofNone
	}
	if req.OpenPricing != nil {
		r.OpenPricing = *req.OpenPricing
	}
	for _, m := range req.Menu {
		r.Menu = append(r.Menu, orders.MenuItem{ItemID: m.ItemID, Name: m.Name, UnitPrice: m.UnitPrice, Available: m.Available})
	}
	return r
}

func restaurantView(r *orders.Restaurant) api.Restaurant {
	v := api.Restaurant{
		RestaurantID: r.ID, Name: r.Name, Lat: r.Lat, Lon: r.Lon, PrepMinutes: r.PrepMinutes, AutoAccept: r.AutoAccept,
		Proof: r.Proof, DeliveryRadiusMetres: r.DeliveryRadiusMetres, OpenPricing: r.OpenPricing, Menu: []api.MenuEntry{},
	}
	for _, m := range r.Menu {
		v.Menu = append(v.Menu, api.MenuEntry{ItemID: m.ItemID, Name: m.Name, UnitPrice: m.UnitPrice})
	}
	return v
}
