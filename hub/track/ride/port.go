package ride

import (
	"context"
	"time"

	"doorbell/hub"
	"doorbell/hub/track"
	"doorbell/orders"
)

// Store is where it is read what a courier carries. orders.Store has it.
type Store interface {
	// List reads a page of orders, newest first. Unavailable.
	List(ctx context.Context, q orders.Query) (page []orders.Order, next string, err error)
	// Restaurant reads a restaurant, perhaps from memory. NotFound, Unavailable.
	Restaurant(ctx context.Context, id string) (*orders.Restaurant, error)
}

// Channel keeps what is remembered of couriers, and carries what is shown to whoever watches, on every node. [Local] is
// the one of a single process. Load and Save are one round trip each, and all that a post costs.
type Channel interface {
	// Load reads what was last saved of a courier; nothing, with mark 0, where that is long ago. The caller does not
	// change data. Unavailable.
	Load(ctx context.Context, courier string) (data []byte, mark uint64, err error)
	// Save keeps data (at most MaxData bytes) if mark is still what Load gave, and tells what is shown to those who
	// watch. It sets the Outcome of each: Closed where the order's window is not open for this courier, epoch and phase
	// any more, Older where a later fix of the same window is out; nothing else is asked of a Quiet one. lost says that somebody else saved in between, and
	// data is not kept; where both go in one pipeline, what is shown may be out nevertheless, which does no harm since
	// each was judged by the window and by its time. It keeps nothing of what it is given. Unavailable: whether data was
	// kept is not known.
	Save(ctx context.Context, courier string, mark uint64, data []byte, shown []Shown) (lost bool, err error)
}

// Commands takes what the geofence saw. orders.Service has it.
type Commands interface {
	DoAsSystem(ctx context.Context, id string, c orders.Command, now time.Time) (orders.Order, []orders.Event, error)
}

var _ Commands = (*orders.Service)(nil)

// Tracks stores fixes for good, or for as long as they may be kept. WriteTrack is given at most MaxWrite, of several
// orders, and keeps nothing of the slice. The same fix of an order (device and fix time) may come again, and is let go
// then. After an error all of them come again.
type Tracks interface {
	WriteTrack(ctx context.Context, fixes []Fix) error
}

// Locator tells those who watch an order where its courier is. hub.Hub has it.
type Locator interface{ Locate(p hub.Position) }

var _ Locator = (*hub.Hub)(nil)

// Fix is a fix inside the window of an order, for its history, with what was foretold then.
type Fix struct {
	Order, Courier string
	Epoch          int64 // Delivery.Epoch of the order
	Point          track.Point
	Shown          bool      // this is the one of its post that was shown
	StopsAhead     int       // and where it was, this many stops were before the order's,
	ETAAt          time.Time // and this was the estimate. Zero: there was none
}
