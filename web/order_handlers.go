package web

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"doorbell/orders"
	"doorbell/web/api"
)

// pageDefault is how many entries a list has when the caller does not say.
const pageDefault = 50

// CreateOrder is POST /orders.
func (s *Server) CreateOrder(w http.ResponseWriter, r *http.Request, params api.CreateOrderParams) {
	req, err := decode[api.OrderRequest](r)
	if err != nil {
		fail(w, r, err)
		return
	}
	p, err := s.placement(req)
	if err != nil {
		fail(w, r, err)
		return
	}
	caller := callerOf(r)
	if params.IdempotencyKey != "" {
		canonical, _ := json.Marshal(req) // of what was asked, so white space and the order of keys do not matter
		hash := sha256.Sum256(canonical)
		p.Key = &orders.PlacementKey{
			Scope: caller.ID + " POST /orders", Key: params.IdempotencyKey, Hash: hash[:],
			Respond: func(o *orders.Order) (int, []byte) {
				return http.StatusCreated, s.Viewer.JSON(o, caller.Role, o.CreatedAt)
			},
		}
	}
	placed, err := s.Orders.Place(r.Context(), caller, p)
	if err != nil {
		fail(w, r, err)
		return
	}
	if k := placed.Replayed; k != nil {
		var was struct{ Seq int64 }
		_ = json.Unmarshal(k.Response, &was) // our own words
		w.Header().Set("Location", location(k.OrderID))
		w.Header().Set("ETag", etag(was.Seq))
		w.Header().Set("Cache-Control", "private, no-cache")
		w.Header().Set("Idempotency-Replayed", "true")
		answerRaw(w, k.Status, k.Response)
		return
	}
	w.Header().Set("Location", location(placed.Order.ID))
	s.answerOrder(w, r, http.StatusCreated, &placed.Order)
}

func location(orderID string) string { return basePath + "/orders/" + orderID }

// placement is what a request asks for, with the callback URL normalised.
func (s *Server) placement(req api.OrderRequest) (orders.Placement, error) {
	p := orders.Placement{
		RestaurantID: req.RestaurantID, Method: req.PaymentMethod, Deliver: req.Deliver,
		SoldOutPolicy: req.SoldOutPolicy, ExpectedTotal: req.ExpectedTotal,
		Address: orders.Address{
			Line: req.Address.Line, Lat: req.Address.Lat, Lon: req.Address.Lon, Name: req.Address.Name, Phone: req.Address.Phone,
		},
	}
	for _, it := range req.Items {
		line := orders.Item{ItemID: it.ItemID, Name: it.Name, Quantity: it.Quantity, UnitPrice: -1, Note: it.Note}
		if it.UnitPrice != nil {
			line.UnitPrice = *it.UnitPrice
		}
		p.Items = append(p.Items, line)
	}
	if req.NotificationURL == "" {
		return p, nil
	}
	var err error
	p.NotificationURL, err = orders.NormaliseURL(req.NotificationURL, s.OpenURLs)
	return p, err
}

// GetOrder is GET /orders/{orderId}, with 304 and the long-poll.
func (s *Server) GetOrder(w http.ResponseWriter, r *http.Request, orderID api.OrderID, params api.GetOrderParams) {
	known, err := parseTags("If-None-Match", r.Header.Values("If-None-Match"))
	if err != nil {
		fail(w, r, err)
		return
	}
	wait := preferWait(r.Header.Values("Prefer"))
	if wait == 0 || known.absent() {
		s.readOrder(w, r, orderID, known)
		return
	}
	w.Header().Set("Preference-Applied", "wait="+strconv.Itoa(int(wait/time.Second)))
	if err := s.awaitChange(r, orderID, known, wait); err != nil {
		fail(w, r, err)
		return
	}
	s.readOrder(w, r, orderID, known)
}

// readOrder answers with the order, or 304 where the caller has this seq. The 304 reads no document.
func (s *Server) readOrder(w http.ResponseWriter, r *http.Request, orderID string, known tags) {
	if !known.absent() {
		own, err := s.Orders.Visible(r.Context(), orderID, callerOf(r))
		if err != nil {
			fail(w, r, err)
			return
		}
		if known.has(own.Seq) {
			w.Header().Set("ETag", etag(own.Seq))
			w.Header().Set("Cache-Control", "private, no-cache")
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	o, err := s.Orders.Get(r.Context(), orderID, callerOf(r))
	if err != nil {
		fail(w, r, err)
		return
	}
	s.answerOrder(w, r, http.StatusOK, &o)
}

// awaitChange returns once the order is at another seq than the known ones, the wait is over or the node drains.
func (s *Server) awaitChange(r *http.Request, orderID string, known tags, wait time.Duration) error {
	over := time.NewTimer(wait)
	defer over.Stop()
	for {
		changed, stop := s.Hub.Waiters().Watch(orderID)
		own, err := s.Orders.Visible(r.Context(), orderID, callerOf(r))
		if err != nil || !known.has(own.Seq) {
			stop()
			return err
		}
		select {
		case <-changed:
			stop()
			continue
		case <-over.C:
		case <-s.stopping:
		case <-r.Context().Done():
		}
		stop()
		return nil
	}
}

// ListOrders is GET /orders.
func (s *Server) ListOrders(w http.ResponseWriter, r *http.Request, params api.ListOrdersParams) {
	page, next, err := s.Orders.List(r.Context(), callerOf(r), orders.ListFilter{
		Status: params.Status, UpdatedAfter: params.UpdatedAfter, Cursor: params.Cursor, Limit: pageSize(params.Limit),
	})
	if err != nil {
		fail(w, r, err)
		return
	}
	out, now := api.OrderList{Items: make([]api.OrderResponse, len(page)), Next: next}, s.Orders.Now()
	for i := range page {
		out.Items[i] = s.Viewer.View(&page[i], callerOf(r).Role, now)
	}
	w.Header().Set("Cache-Control", "private, no-cache")
	answer(w, r, http.StatusOK, out)
}

func pageSize(limit int) int {
	if limit == 0 {
		return pageDefault
	}
	return limit
}

// ListOrderEvents is GET /orders/{orderId}/events. A page's next is the seq of its last event.
func (s *Server) ListOrderEvents(w http.ResponseWriter, r *http.Request, orderID api.OrderID, params api.ListOrderEventsParams) {
	if wantsStream(r) {
		s.streamEvents(w, r, orderID, params.After)
		return
	}
	after, limit := params.After, pageSize(params.Limit)
	if params.Cursor != "" {
		n, err := strconv.ParseInt(params.Cursor, 10, 64)
		if err != nil || n < 0 {
			fail(w, r, badHeader("cursor", "was not given out by this list"))
			return
		}
		after = max(after, n)
	}
	events, err := s.Orders.Events(r.Context(), orderID, after, limit+1)
	if err != nil {
		fail(w, r, err)
		return
	}
	out := api.EventList{Items: []api.Event{}}
	if len(events) > limit {
		events = events[:limit]
		out.Next = strconv.FormatInt(events[limit-1].Seq, 10)
	}
	for _, e := range events {
		out.Items = append(out.Items, e.Envelope)
	}
	w.Header().Set("Cache-Control", "private, no-cache")
	answer(w, r, http.StatusOK, out)
}
