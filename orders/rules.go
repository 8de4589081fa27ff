package orders

// rules is the table of domain.md section 1: who may do what, when, and what it does. The row numbers are that
// table's. It is filled in init, since the rules themselves ask the table what else is allowed.
var rules map[Action]rule

// actions is the order in which allowed actions are listed.
var actions = []Action{
	ActPay, ActConfirm, ActReject, ActPrepare, ActDelay, ActReady, ActAmend, ActAccept, ActDecline, ActCancel, ActApprove,
	ActDeny, ActAssign, ActUnassign, ActArrive, ActPickup, ActDeliver, ActProblem, ActFail, ActReturned, ActRefund,
}

func init() {
	rules = map[Action]rule{
		ActCreate: {roles: roles(RoleCustomer), guard: isNew, apply: create}, // row 1

		ActPay:    {roles: roles(RolePayment), done: payDone, guard: canPay, apply: pay, atWill: true},     // rows 2, 3b
		ActRefund: {roles: roles(RolePayment, RoleOps), done: refundDone, guard: canRefund, apply: refund}, // row 25

		ActConfirm: {roles: roles(RoleMerchant), done: confirmDone, guard: canDecide, apply: confirm},              // row 4
		ActReject:  {roles: roles(RoleMerchant), done: endedBy(ActReject), guard: canDecide, apply: reject},        // row 5
		ActPrepare: {roles: roles(RoleMerchant, RoleSystem), done: prepareDone, guard: canPrepare, apply: prepare}, // row 10
		ActDelay:   {roles: roles(RoleMerchant), done: delayDone, guard: canDelay, apply: delay, atWill: true},
		ActReady:   {roles: roles(RoleMerchant), done: readyDone, guard: canReady, apply: ready}, // row 11

		ActAmend:   {roles: roles(RoleMerchant), done: amendDone, guard: canAmend, apply: amend, atWill: true}, // row 12
		ActAccept:  {roles: roles(RoleCustomer), done: acceptDone, guard: canAnswer, apply: acceptAmendment},   // row 12a
		ActDecline: {roles: roles(RoleCustomer), done: declineDone, guard: canAnswer, apply: rejectAmendment},  // row 12b

		ActCancel:  {roles: roles(RoleCustomer, RoleOps), done: cancelDone, guard: canCancel, apply: cancel},     // rows 7-9, 24
		ActApprove: {roles: roles(RoleMerchant, RoleOps), done: approveDone, guard: requestOpen, apply: approve}, // row 9a
		ActDeny:    {roles: roles(RoleMerchant, RoleOps), done: denyDone, guard: requestOpen, apply: deny},       // row 9b

		ActAssign:   {roles: roles(RoleOps), done: assignDone, guard: canAssign, apply: assign, atWill: true},                    // rows 13, 14
		ActUnassign: {roles: roles(RoleOps, RoleCourier), done: unassignDone, guard: canUnassign, apply: unassign, atWill: true}, // row 14

		ActArrive:   {roles: roles(RoleCourier, RoleOps, RoleSystem), done: arriveDone, guard: canArrive, apply: arrive},       // rows 15, 18
		ActNearby:   {roles: roles(RoleSystem), done: nearbyDone, guard: canBeNear, apply: nearby},                             // row 17
		ActPickup:   {roles: roles(RoleCourier, RoleOps, RoleMerchant), done: pickupDone, guard: canPickup, apply: pickup},     // row 16
		ActDeliver:  {roles: roles(RoleCourier, RoleOps, RoleCustomer), done: deliverDone, guard: canDeliver, apply: deliver},  // row 19
		ActProblem:  {roles: roles(RoleCourier, RoleOps), guard: onDelivery, apply: problem, atWill: true},                     // row 20
		ActFail:     {roles: roles(RoleCourier, RoleOps), done: failDone, guard: canFail, apply: fail},                         // row 21
		ActReturned: {roles: roles(RoleCourier, RoleOps, RoleMerchant), done: returnDone, guard: isReturning, apply: returned}, // row 22

		ActTick: {roles: roles(RoleSystem), done: nothingDue, guard: always, apply: tick}, // rows 3, 6, 9a, 12c, 23, rule 6
	}
}

func roles(r ...Role) []Role { return r }

func always(*step, Command) bool { return true }

// endedBy is the repeat of what ended the order.
func endedBy(a Action) func(*step, Command) bool {
	return func(t *step, _ Command) bool { return t.o.EndAction == a }
}
