package orders

import (
	"errors"
	"fmt"
)

// Kind says what a caller can do about an [Error]. The same word goes into the response body, the log line and the
// metric label.
type Kind string

const (
	Invalid            Kind = "invalid"             // broken syntax or schema: fix the request
	Unauthenticated    Kind = "unauthenticated"     // no token, or one that ran out or was revoked
	Forbidden          Kind = "forbidden"           // yours to see, not yours to do
	NotFound           Kind = "not_found"           // no such thing, or hidden from this caller
	Conflict           Kind = "conflict"            // the order's state refuses it, or another request is running
	PreconditionFailed Kind = "precondition_failed" // If-Match is not the current seq
	TooLarge           Kind = "too_large"           // over a stated size
	Unprocessable      Kind = "unprocessable"       // well formed, but against a rule
	Exhausted          Kind = "exhausted"           // a limit of this caller: rate, sessions, a full queue
	Unavailable        Kind = "unavailable"         // the store or the bus is away, or the node is full: try again
	Internal           Kind = "internal"            // ours
)

// Codes that stand beside a Kind where a program must tell two causes apart.
const (
	CodeInvalidTransition = "INVALID_TRANSITION" // conflict: with CurrentStatus and AllowedActions
	CodeOutOfArea         = "OUT_OF_AREA"        // unprocessable: the address is beyond the restaurant's radius
	CodeItemSoldOut       = "ITEM_SOLD_OUT"      // conflict: the named items are sold out
	CodePriceChanged      = "PRICE_CHANGED"      // unprocessable: expectedTotal is not the total
	CodeWrongPIN          = "WRONG_PIN"          // unprocessable: not the order's PIN
	CodePINLocked         = "PIN_LOCKED"         // unprocessable: too many wrong PINs, ops must complete the order
	CodeKeyReused         = "KEY_REUSED"         // unprocessable: the Idempotency-Key came with another body before
	CodeKeyRunning        = "KEY_RUNNING"        // conflict: a request with this Idempotency-Key is still running
	CodeUnpaidOrders      = "UNPAID_ORDERS"      // exhausted: too many unpaid orders of this customer
)

// Error is the one error that crosses the domain's border. Adapters translate their own errors into it where they
// meet them.
type Error struct {
	Kind   Kind
	Text   string       // for the caller: no SQL, no other customer's ids
	Code   string       // one of the Code constants, or ""
	Fields []FieldError // what in the request is wrong; may be empty
	Err    error        // the cause, for the log; may be nil

	// Of INVALID_TRANSITION only.
	CurrentStatus  Status
	Action         Action
	ActionPath     string   // the action as a path below this order
	AllowedActions []string // path segments below the order that this caller may use now; never nil there
}

// FieldError points at one wrong field.
type FieldError struct {
	Pointer string // JSON pointer into the request body, e.g. /items/0/quantity
	Detail  string
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Kind, e.Text, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Kind, e.Text)
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error of this kind whose text is shown to the caller.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Text: fmt.Sprintf(format, args...)}
}

// KindOf is the Kind of the first Error in err's chain, Internal for an error that is not ours, "" for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// fieldErr is an Unprocessable error about one field of the request.
func fieldErr(pointer, format string, args ...any) *Error {
	e := Errorf(Unprocessable, format, args...)
	e.Fields = []FieldError{{Pointer: pointer, Detail: e.Text}}
	return e
}
