package demo

import (
	"context"

	"doorbell/orders"
)

// stories are told in this order. Each ends with an order that has ended.
var stories = []func(context.Context, *cast) error{
	happyWay, paymentTimeout, soldOutReplaced, soldOutCancelled, cancellationDenied, cancellationUnanswered, failedDelivery,
	replacedCourier,
}

func rice(n int) fields { return fields{"itemId": "rice", "quantity": n} }
func duck() fields      { return fields{"itemId": "duck", "quantity": 1} }

// paid places an order and pays it.
func (c *cast) paid(ctx context.Context, restaurant string, items ...fields) (order, error) {
	o, err := c.places(ctx, restaurant, items...)
	if err != nil {
		return o, err
	}
	return o, c.post(ctx, c.payment, o.OrderID, "pay", fields{"amount": o.Total, "transactionId": "tx_" + o.OrderID}, "payment: %s came in", yuan(o.Total))
}

// cooking is an order that the kitchen works on.
func (c *cast) cooking(ctx context.Context, p *player, restaurant string, items ...fields) (order, error) {
	o, err := c.paid(ctx, restaurant, items...)
	if err != nil {
		return o, err
	}
	return o, steps(
		func() error {
			return c.post(ctx, p, o.OrderID, "confirm", fields{"prepMinutes": 15}, "confirms, 15 minutes")
		},
		func() error { return c.post(ctx, p, o.OrderID, "prepare", nil, "starts cooking") },
	)
}

func (c *cast) assign(ctx context.Context, id string, p *player) error {
	_, err := c.does(ctx, c.ops, id, "PUT", "courier", fields{"courierId": p.sub, "name": p.name, "vehicle": "e-bike"}, "dispatch: sends %s", p.name)
	return err
}

// onTheWay is an order that a courier has picked up.
func (c *cast) onTheWay(ctx context.Context, items ...fields) (order, error) {
	o, err := c.cooking(ctx, c.merchant, wok, items...)
	if err != nil {
		return o, err
	}
	return o, steps(
		func() error { return c.assign(ctx, o.OrderID, c.courier) },
		func() error { return c.post(ctx, c.merchant, o.OrderID, "ready", nil, "says it is ready") },
		func() error { return c.post(ctx, c.courier, o.OrderID, "arrive", nil, "is at the merchant") },
		func() error { return c.post(ctx, c.courier, o.OrderID, "pickup", nil, "picks up") },
	)
}

func happyWay(ctx context.Context, c *cast) error {
	c.screen.title("1. The happy way")
	o, err := c.onTheWay(ctx, rice(2), duck())
	if err != nil {
		return err
	}
	return steps(
		func() error { return c.post(ctx, c.courier, o.OrderID, "arrive", nil, "is at the door") },
		func() error { return c.post(ctx, c.courier, o.OrderID, "deliver", nil, "hands it over") },
	)
}

func paymentTimeout(ctx context.Context, c *cast) error {
	c.screen.title("2. Nobody pays in time, then the money comes after all (here the clock is %s)", c.cfg.PayBy)
	o, err := c.places(ctx, wok, duck())
	if err != nil {
		return err
	}
	return steps(
		func() error { return c.customer.awaitType(ctx, o.OrderID, orders.OrderCancelled) },
		func() error {
			return c.post(ctx, c.payment, o.OrderID, "pay", fields{"amount": o.Total, "transactionId": "late_" + o.OrderID}, "payment: %s came in late", yuan(o.Total))
		},
		func() error {
			return c.post(ctx, c.payment, o.OrderID, "refunds", fields{"amount": o.Total, "reason": "late payment"}, "payment: %s went back", yuan(o.Total))
		},
	)
}

func soldOutReplaced(ctx context.Context, c *cast) error {
	c.screen.title("3. The duck is sold out; the customer takes chicken, and gets the difference back")
	o, err := c.paid(ctx, wok, rice(1), duck())
	if err != nil {
		return err
	}
	return steps(
		func() error {
			return c.post(ctx, c.merchant, o.OrderID, "amendments", fields{"itemId": "duck", "change": "SUBSTITUTE", "substitute": fields{"itemId": "chicken"}}, "offers chicken for duck")
		},
		func() error { return c.post(ctx, c.customer, o.OrderID, "amendments/1/accept", nil, "takes it") },
		func() error {
			return c.post(ctx, c.payment, o.OrderID, "refunds", fields{"amount": 1000, "reason": "cheaper dish"}, "payment: %s went back", yuan(1000))
		},
		func() error {
			return c.post(ctx, c.merchant, o.OrderID, "confirm", fields{"prepMinutes": 10}, "confirms, 10 minutes")
		},
		func() error { return c.assign(ctx, o.OrderID, c.courier) },
		func() error { return c.post(ctx, c.courier, o.OrderID, "pickup", nil, "picks up") },
		func() error { return c.post(ctx, c.courier, o.OrderID, "deliver", nil, "hands it over") },
	)
}

func soldOutCancelled(ctx context.Context, c *cast) error {
	c.screen.title("4. The duck is sold out; the customer wants nothing else")
	o, err := c.paid(ctx, noodle, duck())
	if err != nil {
		return err
	}
	return steps(
		func() error {
			return c.post(ctx, c.noodles, o.OrderID, "amendments", fields{"itemId": "duck", "change": "REMOVE"}, "has no duck")
		},
		func() error {
			return c.post(ctx, c.customer, o.OrderID, "amendments/1/reject", fields{"cancelOrder": true}, "then cancels it all")
		},
		func() error {
			return c.post(ctx, c.payment, o.OrderID, "refunds", fields{"amount": o.Total, "reason": "sold out"}, "payment: %s went back", yuan(o.Total))
		},
	)
}

func cancellationDenied(ctx context.Context, c *cast) error {
	c.screen.title("5. The customer asks to cancel, the kitchen says no")
	o, err := c.cooking(ctx, c.merchant, wok, rice(1))
	if err != nil {
		return err
	}
	return steps(
		func() error {
			return c.post(ctx, c.customer, o.OrderID, "cancel", fields{"reason": "CUSTOMER_CANCELLED"}, "asks to cancel")
		},
		func() error {
			return c.post(ctx, c.merchant, o.OrderID, "cancellation/deny", nil, "denies: it is in the wok")
		},
		func() error { return c.assign(ctx, o.OrderID, c.courier) },
		func() error { return c.post(ctx, c.courier, o.OrderID, "pickup", nil, "picks up") },
		func() error { return c.post(ctx, c.customer, o.OrderID, "deliver", nil, "confirms it came") },
	)
}

func cancellationUnanswered(ctx context.Context, c *cast) error {
	c.screen.title("6. The customer asks to cancel, nobody answers (here the clock is %s)", c.cfg.CancelAnswerBy)
	o, err := c.cooking(ctx, c.noodles, noodle, rice(1))
	if err != nil {
		return err
	}
	return steps(
		func() error {
			return c.post(ctx, c.customer, o.OrderID, "cancel", fields{"reason": "CUSTOMER_CANCELLED"}, "asks to cancel")
		},
		func() error { return c.customer.awaitType(ctx, o.OrderID, orders.OrderCancelled) },
		func() error {
			return c.post(ctx, c.payment, o.OrderID, "refunds", fields{"amount": o.Total, "reason": "cancelled"}, "payment: %s went back", yuan(o.Total))
		},
	)
}

func failedDelivery(ctx context.Context, c *cast) error {
	c.screen.title("7. Nobody opens the door; the food goes back (here the wait is %s)", c.cfg.ContactWait)
	o, err := c.onTheWay(ctx, duck())
	if err != nil {
		return err
	}
	return steps(
		func() error { return c.post(ctx, c.courier, o.OrderID, "arrive", nil, "is at the door") },
		func() error {
			return c.post(ctx, c.courier, o.OrderID, "problem", fields{"type": orders.ContactAttempt}, "rings and calls")
		},
		func() error { return pause(ctx, c.cfg.ContactWait) },
		func() error {
			return c.post(ctx, c.courier, o.OrderID, "fail", fields{"reason": "CUSTOMER_UNREACHABLE"}, "gives up")
		},
		func() error { return c.post(ctx, c.merchant, o.OrderID, "returned", nil, "has it back") },
	)
}

func replacedCourier(ctx context.Context, c *cast) error {
	c.screen.title("8. The courier breaks down and is replaced on the way")
	o, err := c.onTheWay(ctx, rice(3))
	if err != nil {
		return err
	}
	return steps(
		func() error {
			return c.post(ctx, c.courier, o.OrderID, "problem", fields{"type": "BREAKDOWN"}, "has a flat tyre")
		},
		func() error { return c.assign(ctx, o.OrderID, c.second) },
		func() error { return c.courier.await(ctx, o.OrderID, -1) },
		func() error { return c.post(ctx, c.second, o.OrderID, "deliver", nil, "hands it over") },
	)
}
