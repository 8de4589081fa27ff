package ride

import (
	"strconv"
	"time"

	"doorbell/hub"
	"doorbell/hub/track"
	"doorbell/orders"
)

// Phase is what of a courier may be shown to an order's people.
type Phase uint8

const (
	Hidden   Phase = iota // nothing: nobody carries it, or it has ended
	Approach              // assigned, not picked up: the arrival; to the merchant the distance too; to nobody the point
	Riding                // picked up: the point
)

// PhaseOf is the phase of an order, and the courier and epoch that feed it.
func PhaseOf(o *orders.Order) (p Phase, courier string, epoch int64) {
	if courier, epoch, open := o.Window(); open {
		return Riding, courier, epoch
	}
	if c := o.Delivery.Courier; c != nil && (o.Status == orders.Confirmed || o.Status == orders.Preparing) {
		return Approach, c.ID, o.Delivery.Epoch
	}
	return Hidden, "", 0
}

// Shown is what those who watch one order are told of one fix.
type Shown struct {
	Order, Courier string
	Epoch          int64
	Phase          Phase
	Point          track.Point // in Approach its times only: what is not to be seen is not sent
	StopsAhead     int         // stops that the courier makes before this order's

	ETA      track.Estimate // zero: none
	TellETA  bool           // it moved enough to be told
	Distance int            // Approach: metres to the merchant; -1 = not known
	Arrives  time.Time      // Approach: when the courier is there; zero = not known
	Merchant bool           // Approach: one of both moved enough to be told to the merchant

	// Quiet: there is nothing to tell, it is only asked whether the window is open. The point is not there.
	Quiet   bool
	Outcome Outcome // set by Channel.Save
}

// Outcome is what became of a Shown.
type Outcome uint8

const (
	Failed Outcome = iota // the channel could not be reached
	Sent                  // on its way to all who watch; of a Quiet one: the window is open
	Closed                // the window is not open for this courier, epoch and phase
	Older                 // a later fix of the same window is out
)

// Position is s in the hub's words. Customers and tracking links see only roughly where a courier is that has other
// stops first: three decimals, some 100 m. Four would still show at which door it stands, and that is another customer's.
func (s *Shown) Position() hub.Position {
	p := hub.Position{Order: s.Order, Courier: s.Courier, At: s.Point.ReceivedAt.Time()}
	b := make([]byte, 0, 512)
	cut := func() []byte {
		v := b[:len(b):len(b)]
		b = b[len(b):]
		return v
	}
	if s.Phase == Riding {
		b = s.appendExact(b)
		p.Exact = cut()
		if s.StopsAhead > 0 {
			b = s.appendCoarse(b)
			p.Coarse = cut()
		}
	}
	if s.TellETA && !s.ETA.At.IsZero() {
		b = append(s.appendETA(append(b, '{')), '}')
		p.ETA = cut()
	}
	if s.Phase == Approach && s.Merchant {
		b = s.appendMerchant(b)
		p.MerchantETA = cut()
	}
	return p
}

// appendExact writes {at, lat, lon, accuracy?, speed?, heading?, stopsAhead?}: degrees to five decimals (about a metre),
// metres, metres a second to a tenth, whole degrees.
func (s *Shown) appendExact(b []byte) []byte {
	b = s.appendPlace(b, 1)
	for _, f := range [...]struct {
		name  string
		field track.Field
		scale float64
	}{{`,"accuracy":`, track.Accuracy, 1}, {`,"speed":`, track.Speed, 10}, {`,"heading":`, track.Heading, 1}} {
		if v, ok := measured(&s.Point, f.field); ok {
			b = strconv.AppendFloat(append(b, f.name...), float64(v)/f.scale, 'f', -1, 64)
		}
	}
	return append(s.appendStops(b), '}')
}

// appendCoarse writes {at, lat, lon, stopsAhead, coarse}, with degrees to three decimals.
func (s *Shown) appendCoarse(b []byte) []byte {
	return append(s.appendStops(s.appendPlace(b, 100)), `,"coarse":true}`...)
}

// appendPlace begins a location; coarse is in units of 0.00001 degrees.
func (s *Shown) appendPlace(b []byte, coarse int64) []byte {
	b = appendTime(append(b, `{"at":`...), s.Point.At.Time())
	b = appendDegrees(append(b, `,"lat":`...), s.Point.Lat, coarse)
	return appendDegrees(append(b, `,"lon":`...), s.Point.Lon, coarse)
}

func (s *Shown) appendStops(b []byte) []byte {
	if s.StopsAhead > 0 {
		b = strconv.AppendInt(append(b, `,"stopsAhead":`...), int64(s.StopsAhead), 10)
	}
	return b
}

// appendETA writes what stands in {etaAt, etaEarliest, etaLatest, estimatedTime, stopsAhead?}; estimatedTime is in whole
// minutes.
func (s *Shown) appendETA(b []byte) []byte {
	b = appendTime(append(b, `"etaAt":`...), whole(s.ETA.At))
	b = appendTime(append(b, `,"etaEarliest":`...), whole(s.ETA.Earliest))
	b = appendTime(append(b, `,"etaLatest":`...), whole(s.ETA.Latest))
	left := track.MinutesLeft(whole(s.ETA.At), s.Point.ReceivedAt.Time())
	return s.appendStops(strconv.AppendInt(append(b, `,"estimatedTime":`...), int64(left), 10))
}

// appendMerchant writes an eta with {distance?, arrivesAt?} of the courier on its way to the merchant.
func (s *Shown) appendMerchant(b []byte) []byte {
	start := len(b) + 1
	b = append(b, '{')
	if !s.ETA.At.IsZero() {
		b = s.appendETA(b)
	}
	comma := func() {
		if len(b) > start {
			b = append(b, ',')
		}
	}
	if s.Distance >= 0 {
		comma()
		b = strconv.AppendInt(append(b, `"distance":`...), int64(s.Distance), 10)
	}
	if !s.Arrives.IsZero() {
		comma()
		b = appendTime(append(b, `"arrivesAt":`...), whole(s.Arrives))
	}
	return append(b, '}')
}

func appendTime(b []byte, t time.Time) []byte {
	return append(t.UTC().AppendFormat(append(b, '"'), orders.TimeFormat), '"')
}

func appendDegrees(b []byte, v float64, coarse int64) []byte {
	n := hundredThousandths(v)
	if coarse > 1 {
		half := coarse / 2
		if n < 0 {
			half = -half
		}
		n = (n + half) / coarse * coarse
	}
	return strconv.AppendFloat(b, float64(n)/1e5, 'f', -1, 64)
}

// whole is t cut to seconds: no estimate is better than that.
func whole(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return time.Unix(t.Unix(), 0).UTC()
}
