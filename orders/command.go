package orders

import "strings"

// Action names what a command does. Outside it is the path segment below the order.
type Action string

const (
	ActCreate   Action = "create"
	ActPay      Action = "pay"
	ActRefund   Action = "refunds"
	ActConfirm  Action = "confirm"
	ActReject   Action = "reject"
	ActPrepare  Action = "prepare"
	ActDelay    Action = "delay"
	ActReady    Action = "ready"
	ActAmend    Action = "amendments"
	ActAccept   Action = "amendments/accept" // outside: amendments/{n}/accept
	ActDecline  Action = "amendments/reject" // outside: amendments/{n}/reject
	ActCancel   Action = "cancel"
	ActApprove  Action = "cancellation/approve"
	ActDeny     Action = "cancellation/deny"
	ActAssign   Action = "courier"
	ActUnassign Action = "courier/remove" // outside: DELETE courier
	ActArrive   Action = "arrive"
	ActNearby   Action = "nearby" // the geofence only
	ActPickup   Action = "pickup"
	ActDeliver  Action = "deliver"
	ActProblem  Action = "problem"
	ActFail     Action = "fail"
	ActReturned Action = "returned"
	ActTick     Action = "tick" // timers only
)

// Path is the action as a client knows it: the path below the order, with {n} where an amendment's number stands.
func (a Action) Path() string {
	switch a {
	case ActUnassign:
		return string(ActAssign)
	case ActAccept, ActDecline:
		return strings.Replace(string(a), "/", "/{n}/", 1)
	}
	return string(a)
}

// Command is one wish to change an order.
type Command interface{ Action() Action }

// Stop is a place on a courier's way.
type Stop string

const (
	StopMerchant Stop = "MERCHANT"
	StopCustomer Stop = "CUSTOMER"
)

// The commands. Fields without a comment mean what the Order's fields of that name mean.
type (
	// Create places an order. Items are priced already, see [Restaurant.Price].
	Create struct {
		ID              string
		Restaurant      Restaurant
		Client          string
		Items           []Item
		Method          PaymentMethod
		Address         Address
		SoldOutPolicy   SoldOutPolicy // "" = ASK
		NotificationURL string
		Deliver         Deliver // "" = unless_acked
		PIN             string  // used where the restaurant asks for one
		TrackKey        []byte
	}
	// Pay records money that the provider took.
	Pay struct {
		Amount        int64
		Currency      string // "" = the order's
		TransactionID string
	}
	// RefundMade records money that went back.
	RefundMade struct {
		Amount int64
		Reason string
	}
	Confirm struct{ PrepMinutes int }
	Reject  struct {
		Reason     Reason
		OutOfStock []string // item ids
		Note       string
	}
	Prepare struct{}
	// Delay says anew how many minutes from now the kitchen needs.
	Delay struct{ PrepMinutes int }
	Ready struct{}
	// Amend proposes to change the lines with this item.
	Amend struct {
		ItemID     string
		Change     Change
		Quantity   int         // of REDUCE: pieces left
		Substitute *Substitute // of SUBSTITUTE; UnitPrice -1 where the request had none
		Menu       *Restaurant // prices the substitute; nil: it stands as it is
	}
	AcceptAmendment struct{ N int }
	RejectAmendment struct {
		N           int
		CancelOrder bool // cancel the whole order, not only the line
	}
	Cancel struct {
		Reason     Reason
		OutOfStock []string
		Note       string
	}
	ApproveCancellation struct{}
	DenyCancellation    struct{}
	Assign              struct{ Courier Courier }
	Unassign            struct{}
	// Arrive without a Stop means the merchant before pick-up, then the customer.
	Arrive struct{ Stop Stop }
	// Nearby is the geofence's word that the courier comes near this stop.
	Nearby struct{ Stop Stop }
	Pickup struct{ Code string }
	// Hand completes the order.
	Hand struct {
		PIN      string
		PhotoRef string
	}
	ReportProblem struct {
		Type string // upper-case word; ContactAttempt counts towards Fail
		Note string
	}
	Fail struct {
		Reason      Reason
		Disposition Disposition // "" = RETURN
		Note        string
	}
	ReturnMade struct{}
	// Tick fires what is due by now.
	Tick struct{}
)

func (Create) Action() Action              { return ActCreate }
func (Pay) Action() Action                 { return ActPay }
func (RefundMade) Action() Action          { return ActRefund }
func (Confirm) Action() Action             { return ActConfirm }
func (Reject) Action() Action              { return ActReject }
func (Prepare) Action() Action             { return ActPrepare }
func (Delay) Action() Action               { return ActDelay }
func (Ready) Action() Action               { return ActReady }
func (Amend) Action() Action               { return ActAmend }
func (AcceptAmendment) Action() Action     { return ActAccept }
func (RejectAmendment) Action() Action     { return ActDecline }
func (Cancel) Action() Action              { return ActCancel }
func (ApproveCancellation) Action() Action { return ActApprove }
func (DenyCancellation) Action() Action    { return ActDeny }
func (Assign) Action() Action              { return ActAssign }
func (Unassign) Action() Action            { return ActUnassign }
func (Arrive) Action() Action              { return ActArrive }
func (Nearby) Action() Action              { return ActNearby }
func (Pickup) Action() Action              { return ActPickup }
func (Hand) Action() Action                { return ActDeliver }
func (ReportProblem) Action() Action       { return ActProblem }
func (Fail) Action() Action                { return ActFail }
func (ReturnMade) Action() Action          { return ActReturned }
func (Tick) Action() Action                { return ActTick }
