package hub_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"doorbell/hub"
	"doorbell/hub/wire"
	"doorbell/orders"
	"doorbell/orders/store/storetest"
)

var seeds = flag.Int("seeds", 6, "how many random stories TestStories plays")

// TestStories plays random orders to random people over a bus that loses, repeats and reorders, to clients that stall,
// come and go; then it holds what each of them was sent against P2 and P7, and what they know in the end against the
// store.
func TestStories(t *testing.T) {
	for seed := range *seeds {
		t.Run(fmt.Sprint("Seed", seed), func(t *testing.T) {
			inBubble(t, hub.Config{}, func(w *world) { newStory(w, uint64(seed)).play(140) })
		})
	}
}

// TestStoriesOfManyNodes is TestStories with changes as another node's reach a hub: without the order, and lost as it
// comes. Now and then the bus is in doubt, and so in the end.
func TestStoriesOfManyNodes(t *testing.T) {
	for seed := range *seeds {
		t.Run(fmt.Sprint("Seed", seed), func(t *testing.T) {
			inBubble(t, hub.Config{}, func(w *world) {
				s := newStory(w, uint64(seed))
				s.remote = true
				s.play(140)
			})
		})
	}
}

type story struct {
	*world
	rnd      *rand.Rand
	ids      []string
	couriers map[string][]string // by order: who carried it after event seq (index), "" = nobody
	people   []*person

	// The bus.
	lossy  bool
	remote bool              // changes come without their order, handovers are lost like others, and Compare mends it
	late   []change          // held back, to be published behind others
	lost   map[string]change // by order: a handover that was lost; see publish
}

// person is a client that keeps a record of what it is sent.
type person struct {
	*client
	who    hub.Identity
	boards []wire.Topic
	record record
	from   int // frames[:from] are in the record
}

// record is what a client knows, and everything wrong in how it came to know it.
type record struct {
	watched map[string]bool  // order topics it asked for
	seen    map[string]int64 // by order topic
	screens map[string]*screen
	story   *story
	who     hub.Identity
	testing.TB
}

func newStory(w *world, seed uint64) *story {
	s := &story{
		world: w, rnd: rand.New(rand.NewPCG(seed, 7)), couriers: map[string][]string{}, lossy: true, lost: map[string]change{},
	}
	w.pass = s.publish
	who := []hub.Identity{ops(), merchant("res_1"), merchant("res_2"), merchant("res_1", "res_2")}
	for i := range 3 {
		who = append(who, customer(fmt.Sprint("cus_", i)), courier(fmt.Sprint("cou_", i)), courier(fmt.Sprint("cou_", i)))
	}
	for _, id := range who {
		s.people = append(s.people, s.newPerson(id))
	}
	return s
}

func (s *story) newPerson(id hub.Identity) *person {
	p := &person{client: s.connect(id), who: id}
	p.record = record{
		watched: map[string]bool{}, seen: map[string]int64{}, screens: map[string]*screen{}, story: s, who: id, TB: s.TB,
	}
	switch id.Role {
	case orders.RoleMerchant:
		for _, r := range id.Restaurants {
			p.boards = append(p.boards, board(wire.TopicRestaurant, r))
		}
	case orders.RoleCourier:
		p.boards = append(p.boards, board(wire.TopicCourier, id.ID))
	}
	for _, b := range p.boards {
		p.record.screens[b.String()] = &screen{t: s.TB, board: b.String(), rows: map[string]row{}}
		s.watch(p.client, b, 0)
	}
	return p
}

// publish is a bus that loses, repeats and reorders. It does not lose two handovers of an order in a row: nobody could
// tell the first courier then, but a board that is listed again.
func (s *story) publish(o *orders.Order, events []orders.Event) {
	for _, e := range events {
		who := ""
		if c := o.Delivery.Courier; c != nil {
			who = c.ID
		}
		list := s.couriers[o.ID]
		for int64(len(list)) <= e.Seq {
			list = append(list, "")
		}
		list[e.Seq] = who
		s.couriers[o.ID] = list
	}
	if !s.lossy {
		s.tell(change{o, events})
		return
	}
	c := change{o, events}
	handover := slices.ContainsFunc(events, func(e orders.Event) bool {
		return e.Type == orders.CourierAssigned || e.Type == orders.CourierUnassigned
	})
	if before, ok := s.lost[o.ID]; ok && handover && !s.remote {
		s.tell(before)
		delete(s.lost, o.ID)
	}
	switch s.rnd.IntN(10) {
	case 0, 1: // lost
		if handover {
			s.lost[o.ID] = c
		}
		return
	case 2: // late: published behind others, perhaps of the same order
		if handover {
			s.lost[o.ID] = c
		}
		s.late = append(s.late, c)
		return
	case 3: // twice
		s.tell(c)
	}
	s.tell(c)
	if !handover {
		delete(s.lost, o.ID)
	}
	if len(s.late) > 0 && s.rnd.IntN(2) == 0 {
		s.tell(s.late[0])
		s.late = s.late[1:]
	}
}

// tell hands a change to the hub.
func (s *story) tell(c change) {
	d := hub.ChangeOf(c.order, c.events, time.Now())
	if s.remote {
		d.Order = nil
	}
	s.hub.Deliver(d)
}

// compare is what a bus does that may have lost something.
func (s *story) compare() {
	if err := s.hub.Compare(s.ctx); err != nil {
		s.Error(err)
	}
}

func (s *story) play(steps int) {
	for range steps {
		s.step()
	}
	// Quiet: everybody reads, nothing is lost any more, and a later word of each order comes.
	for _, p := range s.people {
		p.resume()
	}
	synctest.Wait()
	s.lossy = false
	if s.remote {
		s.compare()
	}
	for _, id := range s.ids {
		if s.remote {
			break
		}
		if s.apply(id, storetest.Ops, orders.ReportProblem{Type: "LATE"}) != nil {
			s.hub.Publish(s.last[id].order, s.last[id].events)
		}
	}
	synctest.Wait()
	for _, p := range s.people {
		p.read()
		if e, _ := p.ending(); e != (hub.Ending{}) {
			s.Errorf("%s ended with %v", p.who.ID, e)
		}
		s.knowsAll(p)
	}
}

func (s *story) step() {
	pick := func() string { return s.ids[s.rnd.IntN(len(s.ids))] }
	if len(s.ids) < 4 {
		s.place()
		return
	}
	switch n := s.rnd.IntN(100); {
	case n < 6:
		s.place()
	case n < 55:
		id := pick()
		s.command(id)
	case n < 60: // much at once
		for range 30 {
			if s.apply(pick(), storetest.Merchant(), orders.Delay{PrepMinutes: 1 + s.rnd.IntN(300)}) != nil {
				s.command(pick())
			}
		}
	case n < 75:
		p := s.people[s.rnd.IntN(len(s.people))]
		p.read()
		s.watchOne(p, pick())
	case n < 80:
		p := s.people[s.rnd.IntN(len(s.people))]
		id := pick()
		p.resume()
		p.s.Unwatch(orderTopic(id))
		synctest.Wait()
		p.read()
		delete(p.record.watched, "order/"+id)
	case n < 86:
		s.people[s.rnd.IntN(len(s.people))].stall()
	case n < 96:
		s.people[s.rnd.IntN(len(s.people))].resume()
	default:
		if synctest.Wait(); s.remote {
			s.compare()
		}
	}
}

func (s *story) place() {
	d := storetest.Draft{Customer: fmt.Sprint("cus_", s.rnd.IntN(3)), Restaurant: fmt.Sprint("res_", 1+s.rnd.IntN(2))}
	if s.rnd.IntN(3) > 0 {
		d.Method = orders.Cash
	}
	s.ids = append(s.ids, s.world.place(d))
}

// command does something to an order, if its state allows it.
func (s *story) command(id string) {
	o := s.order(id)
	m := storetest.Merchant()
	list := []struct {
		by orders.Actor
		c  orders.Command
	}{
		{storetest.Payer, orders.Pay{Amount: o.Total, TransactionID: "tx_1"}},
		{m, orders.Confirm{PrepMinutes: 20}},
		{m, orders.Delay{PrepMinutes: 1 + s.rnd.IntN(300)}},
		{m, orders.Prepare{}},
		{m, orders.Ready{}},
		{storetest.Ops, assign(fmt.Sprint("cou_", s.rnd.IntN(3)))},
		{storetest.Ops, assign(fmt.Sprint("cou_", s.rnd.IntN(3)))},
		{storetest.Ops, orders.Unassign{}},
		{storetest.Ops, orders.Arrive{}},
		{storetest.Ops, orders.Pickup{}},
		{storetest.Ops, orders.Hand{}},
		{storetest.Ops, orders.Fail{Reason: orders.Damaged}},
		{m, orders.ReturnMade{}},
		{storetest.Ops, orders.ReportProblem{Type: "LATE"}},
	}
	if s.rnd.IntN(15) == 0 {
		_ = s.apply(id, storetest.Ops, orders.Cancel{Reason: orders.Admin})
		return
	}
	for range 6 {
		x := list[s.rnd.IntN(len(list))]
		if seq := o.Seq; s.apply(id, x.by, x.c) == nil && s.order(id).Seq > seq {
			return
		}
	}
}

// watchOne watches an order, mostly from where the person is. Who watches it already begins anew, with or without an
// unwatch before; something may be on its way to a person who does that without one.
func (s *story) watchOne(p *person, id string) {
	topic := "order/" + id
	again := p.record.watched[topic] && s.rnd.IntN(2) == 0
	if !again {
		p.resume()
		p.s.Unwatch(orderTopic(id))
		synctest.Wait()
	}
	p.read()
	after := p.record.seen[topic]
	switch s.rnd.IntN(5) {
	case 0:
		after = 0
	case 1:
		if !again {
			after = s.rnd.Int64N(s.order(id).Seq + 3)
		}
	}
	p.record.watched[topic] = true
	if !again {
		if p.record.seen[topic] = after; after > s.order(id).Seq {
			p.record.seen[topic] = 0 // it has not seen that
		}
	}
	err := p.s.Watch(s.ctx, orderTopic(id), after)
	own := s.order(id)
	if visible := own.Ownership().VisibleTo(p.who.Caller, own.UpdatedAt); visible != (err == nil) {
		s.Errorf("%s watches %s: %v", p.who.ID, id, err)
	}
	if err != nil {
		delete(p.record.watched, topic)
	}
}

// read goes on with the record.
func (p *person) read() {
	p.client.mu.Lock()
	frames := p.frames[p.from:]
	p.from = len(p.frames)
	p.client.mu.Unlock()
	for _, f := range frames {
		p.record.note(f)
	}
}

func (r *record) note(f wire.Frame) {
	switch f.Op {
	case wire.OpHello, wire.OpPong, wire.OpGoaway, wire.OpOK:
		return
	case wire.OpError:
		r.Errorf("%s was sent %s", r.who.ID, short(f))
		return
	}
	r.mine(f)
	for _, s := range r.screens {
		s.show(f)
	}
	if f.Board != "" || !strings.HasPrefix(f.Topic, "order/") {
		return
	}
	if !r.watched[f.Topic] {
		r.Errorf("%s was sent %s, which it does not watch", r.who.ID, short(f))
	}
	last := r.seen[f.Topic]
	switch f.Op {
	case wire.OpSnapshot:
		if f.Seq < last {
			r.Errorf("%s: %s behind %d", r.who.ID, short(f), last)
		}
	case wire.OpCurrent:
		if f.Seq != last {
			r.Errorf("%s: %s behind %d", r.who.ID, short(f), last)
		}
	case wire.OpEvent:
		if f.Seq != last+1 {
			r.Errorf("%s: %s behind %d", r.who.ID, short(f), last)
		}
	case wire.OpGone:
		delete(r.watched, f.Topic) // nothing may follow
		return
	}
	r.seen[f.Topic] = f.Seq
}

// mine holds a frame against P7: what may this person see of that order?
func (r *record) mine(f wire.Frame) {
	var b []json.RawMessage
	if f.Order != nil {
		b = append(b, f.Order)
	}
	for _, o := range append(b, f.Orders...) {
		var v struct {
			OrderID, CustomerID, RestaurantID string
			Seq                               int64
			Role                              orders.Role
		}
		if err := json.Unmarshal(o, &v); err != nil {
			r.Error(err)
		}
		if v.Role != r.who.Role {
			r.Errorf("%s was sent what %s may see", r.who.ID, v.Role)
		}
		r.may(f, v.OrderID, v.Seq, v.CustomerID, v.RestaurantID)
		if r.who.Role == orders.RoleCourier && r.story.couriers[v.OrderID][v.Seq] != r.who.ID {
			r.Errorf("%s was sent %s of an order that was %s's then", r.who.ID, short(f), r.story.couriers[v.OrderID][v.Seq])
		}
	}
	if f.Op == wire.OpEvent {
		id := strings.TrimPrefix(f.Topic, "order/")
		o := r.story.order(id)
		r.may(f, id, f.Seq, o.Customer, o.Restaurant)
		if r.who.Role == orders.RoleCourier && !slices.Contains(r.story.couriers[id][f.Seq:], r.who.ID) {
			r.Errorf("%s was sent %s of an order that was not its any more", r.who.ID, short(f))
		}
	}
}

func (r *record) may(f wire.Frame, id string, seq int64, customer, restaurant string) {
	switch r.who.Role {
	case orders.RoleCustomer:
		if customer != r.who.ID {
			r.Errorf("%s was sent %s of %s", r.who.ID, short(f), customer)
		}
	case orders.RoleMerchant:
		if !slices.Contains(r.who.Restaurants, restaurant) {
			r.Errorf("%s was sent %s of %s", r.who.ID, short(f), restaurant)
		}
	}
}

// knowsAll holds what a person knows in the end against the store.
func (s *story) knowsAll(p *person) {
	for topic := range p.record.watched {
		o := s.order(strings.TrimPrefix(topic, "order/"))
		if !o.Ownership().VisibleTo(p.who.Caller, o.UpdatedAt) {
			s.Errorf("%s still watches %s, which is not its any more", p.who.ID, o.ID)
		} else if got := p.record.seen[topic]; got != o.Seq {
			s.Errorf("%s stands at %d of %s, the store at %d", p.who.ID, got, o.ID, o.Seq)
		}
	}
	for _, b := range p.boards {
		rows := p.record.screens[b.String()].rows
		for _, id := range s.ids {
			o := s.order(id)
			on := !o.Status.Final() || o.Delivery.Status == orders.Returning
			if b.Kind == wire.TopicRestaurant {
				on = on && o.ShownToMerchant() && o.Restaurant == b.ID
			} else {
				on = on && o.Delivery.Courier != nil && o.Delivery.Courier.ID == b.ID
			}
			r, shown := rows[id]
			switch {
			case on && (!shown || r.Seq != o.Seq):
				s.Errorf("%s shows %s at %d (%v), is at %d", b, id, r.Seq, shown, o.Seq)
			case !on && shown && r.on():
				s.Errorf("%s still shows %s at %d as %s/%s; it is at %d, %s", b, id, r.Seq, r.Status, r.Delivery.Status, o.Seq, o.Status)
			case shown && r.Seq != o.Seq && r.on():
				s.Errorf("%s shows %s at %d, is at %d", b, id, r.Seq, o.Seq)
			}
		}
	}
}
