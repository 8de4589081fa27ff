package ride_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"doorbell/hub"
	"doorbell/hub/track"
	"doorbell/hub/track/ride"
	"doorbell/orders"
)

// start is when the tests begin.
var start = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

const (
	homeLat, homeLon = 31.2304, 121.4737
	degree           = 111_195.08 // metres of latitude
)

// The people of the tests.
var (
	ops      = orders.Actor{Role: orders.RoleOps, ID: "ops_1"}
	merchant = orders.Actor{Role: orders.RoleMerchant, ID: "mer_1"}
)

// world is orders moved by the real state machine, and the services of some nodes that share a channel. What is committed
// goes to the channel, then to the services.
type world struct {
	testing.TB
	local   *ride.Local
	nodes   []*ride.Service
	seen    func(p hub.Position) // called by Locate; nil = kept in told
	heard   func(couriers ...string)
	failing error // of Commands

	passed atomic.Int64 // ns since start

	mu     sync.Mutex // guards the following
	orders map[string]orders.Order
	reads  int // of Store.List

	toldMu sync.Mutex // guards the following
	told   []hub.Position
}

func newWorld(t testing.TB, nodes int, cfg ride.Config) *world {
	w := &world{TB: t, orders: map[string]orders.Order{}}
	w.local = ride.NewLocal(w, w, w.Now)
	w.heard = func(couriers ...string) {
		for _, n := range w.nodes {
			n.Heard(couriers...)
		}
	}
	cfg.Store, cfg.Now = w, w.Now
	if cfg.Channel == nil {
		cfg.Channel = w.local
	}
	if cfg.Commands == nil {
		cfg.Commands = w
	}
	for range nodes {
		w.nodes = append(w.nodes, ride.New(cfg))
	}
	return w
}

func (w *world) Now() time.Time { return start.Add(time.Duration(w.passed.Load())) }

func (w *world) wait(d time.Duration) *world {
	w.passed.Add(int64(d))
	return w
}

// Locate implements ride.Locator.
func (w *world) Locate(p hub.Position) {
	if w.seen != nil {
		w.seen(p)
		return
	}
	w.toldMu.Lock()
	defer w.toldMu.Unlock()
	w.told = append(w.told, p)
}

// Order implements ride.OrderReader.
func (w *world) Order(_ context.Context, id string) (orders.Order, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	o, ok := w.orders[id]
	if !ok {
		return o, orders.Errorf(orders.NotFound, "no such order")
	}
	return o, nil
}

// List implements ride.Store.
func (w *world) List(_ context.Context, q orders.Query) (page []orders.Order, next string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reads++
	for _, o := range w.orders {
		if own := o.Ownership(); own.Courier == q.Courier && (own.EndedAt.IsZero() || own.Returning) {
			page = append(page, o)
		}
	}
	slices.SortFunc(page, func(a, b orders.Order) int { return strings.Compare(b.ID, a.ID) })
	return page, "", nil
}

// Restaurant implements ride.Store: it is at home.
func (w *world) Restaurant(_ context.Context, id string) (*orders.Restaurant, error) {
	if id != "res_1" {
		return nil, orders.Errorf(orders.NotFound, "no such restaurant")
	}
	return &orders.Restaurant{ID: id, Lat: homeLat, Lon: homeLon, OpenPricing: true}, nil
}

// DoAsSystem implements ride.Commands.
func (w *world) DoAsSystem(_ context.Context, id string, c orders.Command, now time.Time) (orders.Order, []orders.Event, error) {
	if w.failing != nil {
		return orders.Order{}, nil, w.failing
	}
	return w.try(id, orders.System, c, now)
}

func (w *world) try(id string, by orders.Actor, c orders.Command, now time.Time) (orders.Order, []orders.Event, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	o, events, err := orders.DefaultPolicy.Apply(w.orders[id], c, by, now)
	if err == nil && len(events) > 0 {
		w.orders[id] = o
		w.local.Publish(&o, events)
		own := o.Ownership()
		w.heard(own.Courier, o.Delivery.Previous)
	}
	return o, events, err
}

func (w *world) do(id string, by orders.Actor, c orders.Command) *world {
	w.Helper()
	if _, _, err := w.try(id, by, c, w.Now()); err != nil {
		w.Fatalf("%s: %v", c.Action(), err)
	}
	return w
}

// place makes an order that the merchant has confirmed, for a customer some metres north of home.
func (w *world) place(north float64) (id string) {
	w.Helper()
	w.mu.Lock()
	id = fmt.Sprintf("ord_%08d", len(w.orders))
	w.mu.Unlock()
	w.do(id, orders.Actor{Role: orders.RoleCustomer, ID: "cus_1"}, orders.Create{
		ID: id, Restaurant: orders.Restaurant{ID: "res_1", OpenPricing: true}, Method: orders.Cash, TrackKey: make([]byte, 16),
		Items:   []orders.Item{{ItemID: "a", Name: "A", Quantity: 1, UnitPrice: 100}},
		Address: orders.Address{Line: "x", Lat: homeLat + north/degree, Lon: homeLon},
	})
	return w.andDo(id, merchant, orders.Confirm{PrepMinutes: 10})
}

func (w *world) andDo(id string, by orders.Actor, c orders.Command) string {
	w.Helper()
	w.do(id, by, c)
	return id
}

func assign(courier string) orders.Command {
	return orders.Assign{Courier: orders.Courier{ID: courier, Vehicle: "ebike"}}
}

// assigned is an order that a courier is on its way to fetch, picked that it has.
func (w *world) assigned(courier string, north float64) string {
	w.Helper()
	return w.andDo(w.place(north), ops, assign(courier))
}

func (w *world) picked(courier string, north float64) string {
	w.Helper()
	return w.andDo(w.assigned(courier, north), ops, orders.Pickup{})
}

// fix is a good fix of now, some metres north of home.
func (w *world) fix(north float64) track.Point { return fixAt(w.Now(), north) }

func fixAt(at time.Time, north float64) track.Point {
	p := track.Point{At: track.MilliOf(at), Lat: homeLat + north/degree, Lon: homeLon}
	p.Set(track.Accuracy, 8.2)
	p.Set(track.Speed, 5.04)
	p.Set(track.Heading, 359.7)
	return p
}

// post posts to the first node.
func (w *world) post(courier string, points ...track.Point) ride.Answer {
	w.Helper()
	a, err := w.nodes[0].Post(context.Background(), courier, "phone", points, w.Now())
	if err != nil {
		w.Fatal(err)
	}
	return a
}

// frame is what of a location or an eta frame the tests look at.
type frame struct {
	At            string  `json:"at"`
	Lat           float64 `json:"lat"`
	Lon           float64 `json:"lon"`
	Accuracy      float64 `json:"accuracy"`
	Speed         float64 `json:"speed"`
	Heading       *int    `json:"heading"`
	StopsAhead    int     `json:"stopsAhead"`
	Coarse        bool    `json:"coarse"`
	ETAAt         string  `json:"etaAt"`
	ETAEarliest   string  `json:"etaEarliest"`
	ETALatest     string  `json:"etaLatest"`
	EstimatedTime int     `json:"estimatedTime"`
	Distance      *int    `json:"distance"`
	ArrivesAt     string  `json:"arrivesAt"`
}

func (w *world) frame(b []byte) (f frame) {
	w.Helper()
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		w.Fatalf("%s: %v", b, err)
	}
	return f
}

// north is how far a frame is from home, in whole metres.
func (f *frame) north() int { return int(math.Round((f.Lat - homeLat) * degree)) }

// take is what the hub was told since the last take, by order.
func (w *world) take() map[string]hub.Position {
	w.toldMu.Lock()
	defer w.toldMu.Unlock()
	out := map[string]hub.Position{}
	for _, p := range w.told {
		out[p.Order] = p
	}
	w.told = nil
	return out
}

// shows checks whose points the hub was told since the last look: order, then metres north of home.
func (w *world) shows(want ...any) {
	w.Helper()
	w.toldMu.Lock()
	defer w.toldMu.Unlock()
	var got []any
	for _, p := range w.told {
		if p.Exact != nil {
			f := w.frame(p.Exact)
			got = append(got, p.Order, f.north())
		}
	}
	if !slices.Equal(got, want) {
		w.Errorf("shown %v, want %v", got, want)
	}
	w.told = nil
}

// until waits until something is so.
func (w *world) until(what string, is func() bool) {
	w.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("not in 10 s: %s", what)
		}
	}
}

// nobody is a hub that nobody is at.
type nobody struct{}

func (nobody) Locate(hub.Position) {}

// single is a world whose lists are one order.
type single struct {
	*world
	order string
}

func (s *single) List(ctx context.Context, _ orders.Query) ([]orders.Order, string, error) {
	o, err := s.Order(ctx, s.order)
	return []orders.Order{o}, "", err
}
