package callback

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"time"

	"doorbell/orders"
)

// State is whether an endpoint is sent to.
type State string

const (
	StateEnabled  State = "enabled"
	StateDisabled State = "disabled" // by its owner, by a 410, by its own wish, or after DisableAfter without success
	StateDeleted  State = "deleted"
)

// Why an endpoint is disabled, or what else happened to it.
const (
	ReasonGone    = "answered 410"
	ReasonAsked   = "answered webhook-delivery: disable"
	ReasonFailing = "no success in 72 hours"
)

// Endpoint is where callbacks go. One kind is registered; the other, implicit, stands for a notificationUrl of a client
// and needs no registration.
type Endpoint struct {
	ID      string
	URL     string             // normalised, see orders.NormaliseURL
	Owner   orders.Caller      // whose eyes decide what it hears
	Events  []orders.EventType // nil = all
	Deliver orders.Deliver
	State   State
	Signing Signing
	Cap     int // attempts at a time; 0 = the engine's default

	FailingSince time.Time // first failure since the last success; zero = none, as it is to be when its owner enables it
	Noticed      bool      // ops were told that it fails
	Proven       bool      // its origin has answered 2xx once, to whichever endpoint
}

const (
	implicitPrefix = "url_"
	// EndpointPrefix begins the ids of registered endpoints.
	EndpointPrefix = "end_"
)

// ImplicitID names the endpoint of a notificationUrl for one client: the same for all its orders with that URL.
func ImplicitID(client, url string) string {
	sum := sha256.Sum256([]byte(client + "\n" + url))
	return implicitPrefix + base64.RawURLEncoding.EncodeToString(sum[:16])
}

// Implicit reports whether e stands for a notificationUrl.
func (e *Endpoint) Implicit() bool { return strings.HasPrefix(e.ID, implicitPrefix) }

// ImplicitOf is the endpoint of an order's notificationUrl, as far as the order tells: the store adds what it knows of
// its state and the client's secret. False without a notificationUrl. The endpoint of another order with the same URL
// has the same id; only Owner and Deliver are the order's own.
func ImplicitOf(o *orders.Order) (Endpoint, bool) {
	if o.NotificationURL == "" {
		return Endpoint{}, false
	}
	e := Endpoint{
		ID: ImplicitID(o.Client, o.NotificationURL), URL: o.NotificationURL, Deliver: o.Deliver, State: StateEnabled,
		Owner: orders.Caller{Actor: orders.Actor{Role: orders.RoleCustomer, ID: o.Customer}},
	}
	if e.Deliver == "" {
		e.Deliver = orders.DeliverUnlessAcked
	}
	return e, true
}

// Wants reports whether e asked for events of this type.
func (e *Endpoint) Wants(t orders.EventType) bool {
	return e.Events == nil || slices.Contains(e.Events, t)
}

// target is where a row of this kind goes, and its origin: scheme, host and port.
func (e *Endpoint) target(k Kind) (*url.URL, error) {
	raw := e.URL
	if k == KindStatus {
		raw += "/order-status"
	}
	return url.Parse(raw)
}

func originOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "443"
		if u.Scheme == "http" {
			port = "80"
		}
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}
