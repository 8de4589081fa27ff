package orders

// Role is who someone is to the system, as a token's role claim says it.
type Role string

const (
	RoleCustomer Role = "customer"
	RoleMerchant Role = "merchant"
	RoleCourier  Role = "courier"
	RolePayment  Role = "payment" // the payment provider
	RoleOps      Role = "ops"     // dispatchers and support
	RoleTracker  Role = "tracker" // whoever holds an order's tracking link; reads only
	RoleSystem   Role = "system"  // timers and the geofence; no token carries it
)

// Actor is who acts. Watchers are told the role only; the store keeps both.
type Actor struct {
	Role Role
	ID   string // the token's sub; "" for the system
}

// System is the actor of timers, policies answered beforehand and the geofence.
var System = Actor{Role: RoleSystem}

// Caller is who asks, with what its token entitles it to. All ownership questions are answered by [Order.VisibleTo].
type Caller struct {
	Actor
	Restaurants []string // of a merchant: the restaurants it speaks for
	Client      string   // the back end that minted the token; stands for the signing secret of its callbacks
	OrderID     string   // of a tracker: the one order of its link
}
