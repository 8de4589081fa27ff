package ride_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"doorbell/hub"
	"doorbell/hub/track"
	"doorbell/hub/track/ride"
	"doorbell/orders"
)

var (
	steps = flag.Int("window.steps", 60_000, "random steps of TestWindow")
	seed  = flag.Uint64("window.seed", 0, "seed of TestWindow; 0 = a new one")
)

// TestWindow is promise P4: orders are assigned, picked up, taken away, handed over and ended at random, couriers post
// what is fresh, late, repeated and from before to any of three nodes, which hear of changes late, and no position
// outside its window reaches the hub, nor the history. Each courier rides in a town of its own, so that a point says
// whose it is.
func TestWindow(t *testing.T) {
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	defer func() {
		if t.Failed() {
			t.Logf("again with -window.seed=%d", s)
		}
	}()
	const each = 20_000 // then another world: the machine refuses orders that have seen too much
	for n := 0; n < *steps; n += each {
		g := newGame(t, rand.New(rand.NewPCG(s, uint64(n))))
		for range min(each, *steps-n) {
			g.step()
			if t.Failed() {
				return
			}
		}
		g.flush()
		if g.shown < each/100 || g.stored < each/100 || g.refused == 0 || g.lost == 0 || g.replaced == 0 {
			t.Errorf("too little happened: %d shown, %d stored, %d refused, %d lost, %d replaced", g.shown, g.stored, g.refused, g.lost, g.replaced)
		}
	}
}

const (
	gameCouriers = 4
	gameOrders   = 7 // running at a time
)

// game is a world that a die moves.
type game struct {
	*world
	*rand.Rand
	running []string
	made    int
	queued  [3][]string                   // couriers that a node has not heard of
	posted  [gameCouriers][][]track.Point // to be sent again
	later   [gameCouriers][]track.Point   // measured, not sent
	north   [gameCouriers]float64         // where it is
	last    map[string]track.UnixMilli    // fix time last shown of an order, in its window
	window  map[string]string             // of last
	within  bool                          // a change is under way inside a post

	shown, stored, refused, lost, replaced int
}

func newGame(t *testing.T, r *rand.Rand) *game {
	g := &game{Rand: r, last: map[string]track.UnixMilli{}, window: map[string]string{}}
	g.world = newWorld(t, 0, ride.Config{})
	g.seen = g.check
	for range g.queued {
		g.nodes = append(g.nodes, ride.New(ride.Config{Store: g, Commands: g, Channel: g, Tracks: g, Now: g.Now}))
	}
	g.heard = func(couriers ...string) {
		for i := range g.queued {
			g.queued[i] = append(g.queued[i], couriers...)
		}
	}
	return g
}

func town(c int) float64 { return 121 + float64(c) }

func name(c int) string { return fmt.Sprintf("cou_%d", c) }

// Load implements ride.Channel: between it and Save anything may happen.
func (g *game) Load(ctx context.Context, courier string) ([]byte, uint64, error) {
	data, mark, err := g.local.Load(ctx, courier)
	if !g.within && g.IntN(8) == 0 {
		g.within = true
		for range 1 + g.IntN(2) {
			g.step()
		}
		g.within = false
	}
	return data, mark, err
}

// Save implements ride.Channel as Redis does it: what is shown goes out with what is saved, also where that is lost.
func (g *game) Save(ctx context.Context, courier string, mark uint64, data []byte, shown []ride.Shown) (bool, error) {
	lost, err := g.local.Save(ctx, courier, mark, data, shown)
	if lost {
		g.lost++
		for i := range shown {
			g.local.Tell(ctx, &shown[i])
		}
	}
	for i := range shown {
		if shown[i].Outcome == ride.Closed {
			g.refused++
		}
	}
	return lost, err
}

// check is called for all that reaches the hub.
func (g *game) check(p hub.Position) {
	o := g.orders[p.Order]
	if o.Delivery.Courier == nil || o.Delivery.Courier.ID != p.Courier || o.Status.Final() {
		g.Errorf("%s of %s is shown in %s %v", p.Order, p.Courier, o.Status, o.Delivery)
		return
	}
	if p.At.Before(o.Delivery.AssignedAt) {
		g.Errorf("%s of %s: received %v, assigned %v", p.Order, p.Courier, p.At, o.Delivery.AssignedAt)
	}
	if p.Exact == nil {
		if p.Coarse != nil || o.Status == orders.OnDelivery {
			g.Errorf("shown without a point: %+v", p)
		}
		return
	}
	g.shown++
	f := g.frame(p.Exact)
	at, err := time.Parse(orders.TimeFormat, f.At)
	if err != nil {
		g.Error(err)
	}
	g.inWindow(&o, p.Courier, o.Delivery.Epoch, at, p.At, f.Lon)
	window := fmt.Sprint(p.Courier, o.Delivery.Epoch)
	if m := track.MilliOf(at); g.window[p.Order] == window && m < g.last[p.Order] {
		g.Errorf("%s goes back in time, from %v to %v", p.Order, g.last[p.Order].Time(), at)
	}
	g.last[p.Order], g.window[p.Order] = track.MilliOf(at), window
	if (f.StopsAhead > 0) != (p.Coarse != nil) {
		g.Errorf("%d stops ahead, and customers see %s", f.StopsAhead, p.Coarse)
	}
}

func (g *game) inWindow(o *orders.Order, courier string, epoch int64, at, received time.Time, lon float64) {
	by, e, open := o.Window()
	from := o.Delivery.PickedUpAt
	if o.Delivery.AssignedAt.After(from) {
		from = o.Delivery.AssignedAt
	}
	now := g.Now()
	if !open || by != courier || e != epoch || at.Before(from) || received.Before(from) || at.After(now) || received.After(now) {
		g.Errorf("%s of %s epoch %d: fix %v received %v, the window of %s epoch %d is open (%v) since %v", o.ID, courier, epoch, at, received, by, e, open, from)
	}
	if name(int(lon-121+.5)) != courier {
		g.Errorf("%s was said to be at %v", courier, lon)
	}
}

// WriteTrack implements ride.Tracks.
func (g *game) WriteTrack(_ context.Context, fixes []ride.Fix) error {
	for _, f := range fixes {
		g.stored++
		o := g.orders[f.Order]
		if o.Delivery.Epoch == f.Epoch && o.Status == orders.OnDelivery { // else it was when the fix came
			g.inWindow(&o, f.Courier, f.Epoch, f.Point.At.Time(), f.Point.ReceivedAt.Time(), f.Point.Lon)
		} else if at := f.Point.At.Time(); !o.EndedAt.IsZero() && at.After(o.EndedAt) || at.Before(o.Delivery.PickedUpAt) || o.Delivery.PickedUpAt.IsZero() {
			g.Errorf("%s: stored a fix of %v, picked up %v, ended %v", f.Order, at, o.Delivery.PickedUpAt, o.EndedAt)
		}
	}
	return nil
}

// flush has every node write its history.
func (g *game) flush() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, n := range g.nodes {
		if err := n.Run(ctx); err != nil {
			g.Error(err)
		}
	}
}

func (g *game) step() {
	g.passed.Add(int64(g.Int64N(int64(3*time.Second))) * int64(1+19*boolInt(g.IntN(30) == 0)))
	switch n := g.IntN(100); {
	case n < 55:
		if !g.within || g.IntN(2) == 0 {
			g.drive(g.IntN(gameCouriers))
		}
	case n < 62:
		i := g.IntN(len(g.queued))
		g.nodes[i].Heard(g.queued[i]...)
		g.queued[i] = g.queued[i][:0]
	case n < 63:
		g.nodes[g.IntN(len(g.nodes))].Doubt()
		g.local.Forget()
	case n < 64:
		g.local = ride.NewLocal(g, g, g.Now) // nothing is known any more, nor what was shown last
		clear(g.window)
	case n < 67:
		g.thereAndBack()
	default:
		g.turn()
	}
}

// thereAndBack has another courier carry an order for a while: it is the first one's again, in another window.
func (g *game) thereAndBack() {
	for _, id := range g.running {
		if own := g.orders[id]; own.Status == orders.OnDelivery && own.Delivery.Courier != nil && g.IntN(3) == 0 {
			first := own.Delivery.Courier.ID
			c := int(first[len(first)-1] - '0')
			g.do(id, ops, assign(name((c+1)%gameCouriers)))
			g.measure(c)
			g.passed.Add(int64(g.Int64N(int64(20 * time.Second))))
			g.do(id, ops, assign(first))
			return
		}
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// turn changes an order, or places one.
func (g *game) turn() {
	if len(g.running) < gameOrders {
		g.made++
		c := g.IntN(gameCouriers)
		id := fmt.Sprintf("ord_%d", g.made)
		g.do(id, orders.Actor{Role: orders.RoleCustomer, ID: "cus_1"}, orders.Create{
			ID: id, Restaurant: orders.Restaurant{ID: "res_1", OpenPricing: true}, Method: orders.Cash, TrackKey: make([]byte, 16),
			Items:   []orders.Item{{ItemID: "a", Name: "A", Quantity: 1, UnitPrice: 100}},
			Address: orders.Address{Line: "x", Lat: homeLat + g.Float64()*2000/degree, Lon: town(c)},
		}).do(id, merchant, orders.Confirm{PrepMinutes: 10})
		g.running = append(g.running, id)
		return
	}
	i := g.IntN(len(g.running))
	id := g.running[i]
	o := g.orders[id]
	cmds := []orders.Command{assign(name(g.IntN(gameCouriers))), assign(name(g.IntN(gameCouriers))), orders.Pickup{}, orders.Pickup{}, orders.Arrive{},
		orders.Unassign{}, orders.Hand{}, orders.Fail{Reason: orders.Damaged}, orders.Cancel{Reason: orders.Admin}, orders.Ready{}}
	c := cmds[g.IntN(len(cmds))]
	next, events, err := g.try(id, ops, c, g.Now())
	if err != nil && orders.KindOf(err) != orders.Conflict && orders.KindOf(err) != orders.Forbidden {
		g.Errorf("%s: %v", c.Action(), err)
	}
	if next.Status.Final() || len(next.Timeline) > 100 {
		g.running[i] = g.running[len(g.running)-1]
		g.running = g.running[:len(g.running)-1]
	}
	if len(events) > 0 && o.Status == orders.OnDelivery && next.Delivery.Epoch > o.Delivery.Epoch {
		g.replaced++
	}
}

// drive has a courier measure and post.
func (g *game) drive(c int) {
	g.measure(c)
	var points []track.Point
	switch n := g.IntN(10); {
	case n < 3: // later
		if len(g.later[c]) > 40 {
			g.later[c] = g.later[c][20:]
		}
		return
	case n < 8:
		points, g.later[c] = g.later[c], nil
	case len(g.posted[c]) > 0: // again, perhaps long after
		points = g.posted[c][g.IntN(len(g.posted[c]))]
	}
	g.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	if g.posted[c] = append(g.posted[c], points); len(g.posted[c]) > 20 {
		g.posted[c] = g.posted[c][10:]
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	if g.within { // this courier may be posting right now on the same node: that one would wait for ever
		cancel(errors.New("under way"))
	}
	defer cancel(nil)
	_, err := g.nodes[g.IntN(len(g.nodes))].Post(ctx, name(c), "phone", append([]track.Point(nil), points...), g.Now())
	if err != nil && !g.within {
		g.Errorf("post: %v", err)
	}
}

// measure has a courier take a fix, to be sent some time.
func (g *game) measure(c int) {
	g.north[c] += g.Float64()*60 - 30
	p := track.Point{At: track.MilliOf(g.Now()) - track.UnixMilli(g.Int64N(1500)), Lat: homeLat + g.north[c]/degree, Lon: town(c)}
	p.Set(track.Accuracy, 5+g.Float64()*60)
	if g.IntN(50) == 0 {
		p.Lat += .3 // a jump
	}
	if g.IntN(40) == 0 {
		p.At += track.UnixMilli(g.Int64N(50_000)) // a clock that is ahead
	}
	g.later[c] = append(g.later[c], p)
}
