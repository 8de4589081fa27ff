package orders

// Status is where an order stands. The three axes (order, payment, delivery) move apart from each other.
type Status string

const (
	Pending    Status = "PENDING"     // placed; waiting for the money, then for the merchant
	Confirmed  Status = "CONFIRMED"   // the merchant took it
	Preparing  Status = "PREPARING"   // the kitchen is at it
	OnDelivery Status = "ON_DELIVERY" // picked up; the only status in which a courier's position may be seen
	Completed  Status = "COMPLETED"   // final: handed over
	Cancelled  Status = "CANCELLED"   // final: ended before a hand-over was tried, or by decision
	Failed     Status = "FAILED"      // final: picked up, could not be delivered
)

// Statuses lists every Status in the order of the happy way, the sad ends last.
var Statuses = []Status{Pending, Confirmed, Preparing, OnDelivery, Completed, Cancelled, Failed}

// Final reports whether no status follows s.
func (s Status) Final() bool { return s == Completed || s == Cancelled || s == Failed }

// PaymentStatus is where the money stands.
type PaymentStatus string

const (
	Unpaid            PaymentStatus = "UNPAID"             // waiting for the provider until PayBy
	Paid              PaymentStatus = "PAID"               //
	CashDue           PaymentStatus = "CASH_DUE"           // paid at the door
	Expired           PaymentStatus = "EXPIRED"            // PayBy passed
	Void              PaymentStatus = "VOID"               // the order ended unpaid for any reason but the pay clock
	RefundPending     PaymentStatus = "REFUND_PENDING"     // money is owed back, see Payment.RefundDue
	Refunded          PaymentStatus = "REFUNDED"           // all that came in went back
	PartiallyRefunded PaymentStatus = "PARTIALLY_REFUNDED" // a part of it went back
)

// PaymentMethod is how the customer pays. CASH never passes the payment provider.
type PaymentMethod string

const (
	WeChat PaymentMethod = "WECHAT"
	Alipay PaymentMethod = "ALIPAY"
	Cash   PaymentMethod = "CASH"
)

// DeliveryStatus is where the food and its courier stand.
type DeliveryStatus string

const (
	Unassigned DeliveryStatus = "UNASSIGNED"
	Assigned   DeliveryStatus = "ASSIGNED"
	AtMerchant DeliveryStatus = "AT_MERCHANT"
	PickedUp   DeliveryStatus = "PICKED_UP"
	AtCustomer DeliveryStatus = "AT_CUSTOMER"
	Delivered  DeliveryStatus = "DELIVERED"
	Returning  DeliveryStatus = "RETURNING" // picked up, not delivered, on its way back
	Returned   DeliveryStatus = "RETURNED"
	Disposed   DeliveryStatus = "DISPOSED"
)

// AmendmentStatus is where a merchant's proposal to change one line stands.
type AmendmentStatus string

const (
	AmendmentProposed AmendmentStatus = "PROPOSED"
	AmendmentAccepted AmendmentStatus = "ACCEPTED"
	AmendmentRejected AmendmentStatus = "REJECTED"
	AmendmentExpired  AmendmentStatus = "EXPIRED"
)

// RequestStatus is where a customer's request to cancel stands.
type RequestStatus string

const (
	RequestOpen     RequestStatus = "OPEN"
	RequestApproved RequestStatus = "APPROVED"
	RequestDenied   RequestStatus = "DENIED"
)

// SoldOutPolicy is the customer's answer, given beforehand, to an amendment.
type SoldOutPolicy string

const (
	PolicyAsk        SoldOutPolicy = "ASK"        // ask; without an answer in time it is REMOVE
	PolicyRemove     SoldOutPolicy = "REMOVE"     // leave out what is missing
	PolicySubstitute SoldOutPolicy = "SUBSTITUTE" // take the merchant's proposal, never at a higher price
	PolicyCancel     SoldOutPolicy = "CANCEL"     // cancel the order
)

// Proof is what a courier must show at the door; the restaurant decides.
type Proof string

const (
	ProofNone  Proof = "NONE"
	ProofPIN   Proof = "PIN"
	ProofPhoto Proof = "PHOTO"
)

// Deliver says when a callback for an event is due.
type Deliver string

const (
	DeliverUnlessAcked Deliver = "unless_acked" // a second after the commit, called off by an acknowledgement
	DeliverAlways      Deliver = "always"       // at once
)

// Reason says why an order was cancelled, failed or refunded.
type Reason string

const (
	PaymentTimeout          Reason = "PAYMENT_TIMEOUT"
	MerchantTimeout         Reason = "MERCHANT_TIMEOUT"
	CustomerCancelled       Reason = "CUSTOMER_CANCELLED"
	CustomerRequestApproved Reason = "CUSTOMER_REQUEST_APPROVED"
	ItemSoldOut             Reason = "ITEM_SOLD_OUT"
	StoreClosed             Reason = "STORE_CLOSED"
	StoreBusy               Reason = "STORE_BUSY"
	OutOfArea               Reason = "OUT_OF_AREA"
	Duplicate               Reason = "DUPLICATE"
	NoCourier               Reason = "NO_COURIER"
	CourierIssue            Reason = "COURIER_ISSUE"
	Fraud                   Reason = "FRAUD"
	ForceMajeure            Reason = "FORCE_MAJEURE"
	Admin                   Reason = "ADMIN"
	SystemReason            Reason = "SYSTEM"
	OtherReason             Reason = "OTHER"

	CustomerUnreachable Reason = "CUSTOMER_UNREACHABLE"
	CustomerRefused     Reason = "CUSTOMER_REFUSED"
	AddressWrong        Reason = "ADDRESS_WRONG"
	Damaged             Reason = "DAMAGED"
	Lost                Reason = "LOST"
)

// reasonsOf names the reasons each role may give with an action. What only a timer may say (PAYMENT_TIMEOUT and the
// like) is in no set.
var reasonsOf = map[Action]map[Role][]Reason{
	ActReject: {
		RoleMerchant: {ItemSoldOut, StoreClosed, StoreBusy, OutOfArea, Duplicate, Fraud, CourierIssue, ForceMajeure, OtherReason},
	},
	ActCancel: {
		RoleCustomer: {CustomerCancelled, Duplicate, OutOfArea, CourierIssue, OtherReason},
		RoleOps: {CustomerCancelled, ItemSoldOut, StoreClosed, StoreBusy, OutOfArea, Duplicate, NoCourier, CourierIssue,
			Fraud, ForceMajeure, Admin, SystemReason, OtherReason},
	},
	ActFail: {
		RoleCourier: failReasons,
		RoleOps:     failReasons,
	},
}

var failReasons = []Reason{CustomerUnreachable, CustomerRefused, AddressWrong, Damaged, Lost, OtherReason}

// customersFault reports whether a failed delivery with this reason is not refunded by itself; ops may still do so.
func (r Reason) customersFault() bool {
	return r == CustomerUnreachable || r == CustomerRefused || r == AddressWrong
}

// Disposition is what becomes of food that could not be delivered.
type Disposition string

const (
	DispositionReturn  Disposition = "RETURN"
	DispositionDispose Disposition = "DISPOSE"
)
