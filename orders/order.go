package orders

import "time"

// DefaultCurrency is the currency of every order (ISO 4217). Money is in its minor units: whole fen.
const DefaultCurrency = "CNY"

// Limits of an order's contents. They keep Σ quantity × unitPrice below 10^14, far from int64's end.
const (
	MaxItems     = 100         // lines of an order
	MaxQuantity  = 999         // of one line
	MaxUnitPrice = 100_000_000 // minor units
	MaxPrep      = 480         // minutes a merchant may name
	MaxPINTries  = 5           // wrong PINs before only ops may complete the order
	MaxEntries   = 100         // payments, refunds and problems, each, of one order
	MaxEvents    = 500         // events of an order, before changes that may be repeated at will are refused
)

// Order is one order as it stands after event Seq. The JSON form is what the store keeps, not what a caller is shown.
type Order struct {
	ID         string `json:"id"`  // ord_ + UUIDv7
	Seq        int64  `json:"seq"` // the number of its last event
	Status     Status `json:"status"`
	Reason     Reason `json:"reason,omitempty"` // why it ended, "" while it runs and after COMPLETED
	Restaurant string `json:"restaurant"`
	// RestaurantPlace is where the restaurant was when the order was placed; zero in orders from before this was kept.
	RestaurantPlace Place  `json:"restaurantPlace,omitzero"`
	Customer        string `json:"customer"`         // sub of the customer's token
	Client          string `json:"client,omitempty"` // client claim of that token: whose secret signs notificationUrl

	Items    []Item        `json:"items"`
	Total    int64         `json:"total"` // minor units
	Currency string        `json:"currency"`
	Method   PaymentMethod `json:"method"`
	Address  Address       `json:"address"`

	Payment   Payment              `json:"payment"`
	Delivery  Delivery             `json:"delivery"`
	Amendment *Amendment           `json:"amendment,omitempty"` // the last one, open or not
	Cancel    *CancellationRequest `json:"cancel,omitempty"`    // the last one, open or not
	Problems  []Problem            `json:"problems,omitempty"`

	AcceptBy    time.Time `json:"acceptBy,omitzero"`     // the merchant's clock; zero while unpaid and once confirmed
	RemindAt    time.Time `json:"remindAt,omitzero"`     // half of the merchant's clock; zero once reminded
	ConfirmedAt time.Time `json:"confirmedAt,omitzero"`  //
	AutoAccept  bool      `json:"autoAccept,omitempty"`  // frozen when the order was placed
	PrepMinutes int       `json:"prepMinutes,omitempty"` // before the confirmation: the restaurant's usual time
	PrepFrom    time.Time `json:"prepFrom,omitzero"`     // when PrepMinutes was said
	PreparingAt time.Time `json:"preparingAt,omitzero"`
	ReadyAt     time.Time `json:"readyAt,omitzero"`
	CourierBy   time.Time `json:"courierBy,omitzero"` // no courier by then: NO_COURIER
	StaleAt     time.Time `json:"staleAt"`            // still running then: closed by the system
	EndedAt     time.Time `json:"endedAt,omitzero"`
	EndAction   Action    `json:"endAction,omitempty"` // the action that ended it, "" for a timer
	EndNote     string    `json:"endNote,omitempty"`   // what who ended it wrote beside the reason

	SoldOutPolicy   SoldOutPolicy `json:"soldOutPolicy"`
	NotificationURL string        `json:"notificationUrl,omitempty"` // normalised; "" = none
	Deliver         Deliver       `json:"deliver,omitempty"`         // of NotificationURL
	Proof           Proof         `json:"proof"`                     // frozen when the order was placed
	PIN             string        `json:"pin,omitempty"`             // four digits, with PIN proof
	WrongPINs       int           `json:"wrongPins,omitempty"`
	TrackKey        []byte        `json:"trackKey,omitempty"` // 16 random bytes: the secret half of the tracking link

	CreatedAt time.Time       `json:"createdAt"`
	UpdatedAt time.Time       `json:"updatedAt"` // time of the last event
	Timeline  []TimelineEntry `json:"timeline"`

	// ChangeID is the mark of the commit that wrote this state: what the next commit compares. Never in the document.
	ChangeID string `json:"-"`
}

// Item is one line of an order.
type Item struct {
	ItemID    string `json:"itemId"`
	Name      string `json:"name"`
	Quantity  int    `json:"quantity"`
	UnitPrice int64  `json:"unitPrice"` // minor units
	Note      string `json:"note,omitempty"`
}

// Address is where the food goes. Lat and Lon are WGS-84 degrees.
type Address struct {
	Line  string  `json:"line"`
	Lat   float64 `json:"lat"`
	Lon   float64 `json:"lon"`
	Name  string  `json:"name,omitempty"`
	Phone string  `json:"phone,omitempty"`
}

// Payment is the money axis: a ledger of what came in, what is owed back and what went back, in minor units.
// Refunded ≤ Captured and RefundDue ≤ Captured - Refunded hold always.
type Payment struct {
	Status    PaymentStatus `json:"status"`
	PayBy     time.Time     `json:"payBy,omitzero"`
	PaidAt    time.Time     `json:"paidAt,omitzero"`
	Captured  int64         `json:"captured,omitempty"`
	RefundDue int64         `json:"refundDue,omitempty"`
	Refunded  int64         `json:"refunded,omitempty"`
	In        []Receipt     `json:"in,omitempty"`
	Out       []Refund      `json:"out,omitempty"`
}

// Receipt is one payment that arrived, wanted or not.
type Receipt struct {
	TransactionID string    `json:"transactionId"`
	Amount        int64     `json:"amount"`
	At            time.Time `json:"at"`
}

// Refund is money that went back.
type Refund struct {
	Amount int64     `json:"amount"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// Delivery is the courier axis.
type Delivery struct {
	Status  DeliveryStatus `json:"status"`
	Courier *Courier       `json:"courier,omitempty"` // nil: nobody carries it
	// Epoch rises with every courier put in place or taken away; what a courier of an older epoch sends is not this
	// order's.
	Epoch                int64       `json:"epoch,omitempty"`
	Previous             string      `json:"previous,omitempty"` // id of the courier it was last taken from
	AssignedAt           time.Time   `json:"assignedAt,omitzero"`
	ArrivedAtMerchantAt  time.Time   `json:"arrivedAtMerchantAt,omitzero"`
	PickedUpAt           time.Time   `json:"pickedUpAt,omitzero"`
	ArrivedAtCustomerAt  time.Time   `json:"arrivedAtCustomerAt,omitzero"`
	NearbyMerchantEpoch  int64       `json:"nearbyMerchantEpoch,omitempty"` // epoch in which courier.nearby was told, per leg
	NearbyCustomerEpoch  int64       `json:"nearbyCustomerEpoch,omitempty"`
	NearbyAt             time.Time   `json:"nearbyAt,omitzero"`    // when courier.nearby was last told
	PickupCode           string      `json:"pickupCode,omitempty"` // as said at the hand-over
	PhotoRef             string      `json:"photoRef,omitempty"`   // proof, as the rider app named it
	Disposition          Disposition `json:"disposition,omitempty"`
	ReturnedOrDisposedAt time.Time   `json:"returnedOrDisposedAt,omitzero"`
}

// Courier is who carries an order. Phone is a relay number.
type Courier struct {
	ID      string `json:"id"`
	Name    string `json:"name,omitempty"`
	Vehicle string `json:"vehicle,omitempty"`
	Phone   string `json:"phone,omitempty"`
}

// Change is what an amendment does to its line.
type Change string

const (
	ChangeRemove     Change = "REMOVE"
	ChangeReduce     Change = "REDUCE"
	ChangeSubstitute Change = "SUBSTITUTE"
)

// Amendment is a merchant's proposal to change one line. N counts an order's amendments from 1.
type Amendment struct {
	N          int             `json:"n"`
	Status     AmendmentStatus `json:"status"`
	ItemID     string          `json:"itemId"`
	Change     Change          `json:"change"`
	Quantity   int             `json:"quantity,omitempty"`   // of REDUCE: how many are left
	Substitute *Substitute     `json:"substitute,omitempty"` // of SUBSTITUTE
	ProposedAt time.Time       `json:"proposedAt"`
	AnswerBy   time.Time       `json:"answerBy"`
}

// Open reports whether the amendment waits for an answer. A nil Amendment is not open.
func (a *Amendment) Open() bool { return a != nil && a.Status == AmendmentProposed }

// Substitute is what a merchant offers instead of a line.
type Substitute struct {
	ItemID    string `json:"itemId"`
	Name      string `json:"name"`
	UnitPrice int64  `json:"unitPrice"`
}

// CancellationRequest is a customer's wish to cancel what the kitchen already works on.
type CancellationRequest struct {
	Status      RequestStatus `json:"status"`
	Reason      Reason        `json:"reason"`
	Note        string        `json:"note,omitempty"`
	RequestedAt time.Time     `json:"requestedAt"`
	AnswerBy    time.Time     `json:"answerBy"` // without an answer by then it is approved
}

// Open reports whether the request waits for an answer. A nil request is not open.
func (r *CancellationRequest) Open() bool { return r != nil && r.Status == RequestOpen }

// ContactAttempt is the problem type that counts for a failed delivery (an attempt to reach the customer).
const ContactAttempt = "CONTACT_ATTEMPT"

// Problem is something that went wrong on the way. The list only grows.
type Problem struct {
	Type string    `json:"type"`
	Note string    `json:"note,omitempty"`
	At   time.Time `json:"at"`
}

// TimelineEntry is one event in short. Its times are what an arrival model learns from: what really came, and what was
// said of it at each step. Both are by the server's clock.
type TimelineEntry struct {
	Seq   int64     `json:"seq"`
	Type  EventType `json:"type"`
	At    time.Time `json:"at"`
	Role  Role      `json:"role"`
	ETAAt time.Time `json:"etaAt,omitzero"` // ETA.At as the event told it; zero: nothing. It stays inside.
}

// PickedUp reports whether a courier has, or had, the food.
func (o *Order) PickedUp() bool { return !o.Delivery.PickedUpAt.IsZero() }

// ShownToMerchant reports whether the order's merchant may know of it: from PAID or CASH_DUE on, and for good.
func (o *Order) ShownToMerchant() bool {
	return o.Method == Cash || !o.Payment.PaidAt.IsZero()
}

// Window reports whether the courier's position may be seen, and by which courier and epoch it is fed. It is open from
// pick-up until the order's end, or until nobody carries it.
func (o *Order) Window() (courier string, epoch int64, open bool) {
	if o.Status != OnDelivery || o.Delivery.Courier == nil {
		return "", 0, false
	}
	return o.Delivery.Courier.ID, o.Delivery.Epoch, true
}

// total is the sum of the lines.
func total(items []Item) int64 {
	var sum int64
	for _, it := range items {
		sum += int64(it.Quantity) * it.UnitPrice
	}
	return sum
}
