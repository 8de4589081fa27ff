package web

import (
	"net/http"

	"doorbell/orders"
	"doorbell/web/api"
)

// act applies a command to an order and answers with what became of it.
func (s *Server) act(w http.ResponseWriter, r *http.Request, orderID string, c orders.Command) {
	match, err := parseTags("If-Match", r.Header.Values("If-Match"))
	if err != nil {
		fail(w, r, err)
		return
	}
	o, events, err := s.Orders.Do(r.Context(), orderID, c, callerOf(r), match.match())
	if err != nil {
		fail(w, r, err)
		return
	}
	code := http.StatusOK
	if len(events) > 0 && events[0].Type == orders.OrderCancellationRequested {
		code = http.StatusAccepted // somebody else decides
	}
	s.answerOrder(w, r, code, &o)
}

// actOn is act with a command made from the body.
func actOn[T any](s *Server, w http.ResponseWriter, r *http.Request, orderID string, command func(T) orders.Command) {
	body, err := decode[T](r)
	if err != nil {
		fail(w, r, err)
		return
	}
	s.act(w, r, orderID, command(body))
}

// PayOrder is POST …/pay.
func (s *Server) PayOrder(w http.ResponseWriter, r *http.Request, id api.OrderID, _ api.PayOrderParams) {
	actOn(s, w, r, id, func(b api.PayRequest) orders.Command {
		return orders.Pay{Amount: b.Amount, Currency: b.Currency, TransactionID: b.TransactionID}
	})
}

// RefundOrder is POST …/refunds.
func (s *Server) RefundOrder(w http.ResponseWriter, r *http.Request, id api.OrderID, _ api.RefundOrderParams) {
	actOn(s, w, r, id, func(b api.RefundRequest) orders.Command {
		return orders.RefundMade{Amount: b.Amount, Reason: b.Reason}
	})
}

// ConfirmOrder is POST …/confirm.
func (s *Server) ConfirmOrder(w http.ResponseWriter, r *http.Request, id api.OrderID, _ api.ConfirmOrderParams) {
	actOn(s, w, r, id, func(b api.PrepRequest) orders.Command { return orders.Confirm{PrepMinutes: b.PrepMinutes} })
}

// RejectOrder is POST …/reject.
func (s *Server) RejectOrder(w http.ResponseWriter, r *http.Request, id api.OrderID, _ api.RejectOrderParams) {
	actOn(s, w, r, id, func(b api.RejectRequest) orders.Command {
		return orders.Reject{Reason: b.Reason, OutOfStock: b.OutOfStockItems, Note: b.Note}
	})
}

// PrepareOrder is POST …/prepare.
func (s *Server) PrepareOrder(w http.ResponseWriter, r *http.Request, id api.OrderID, _ api.PrepareOrderParams) {
	s.act(w, r, id, orders.Prepare{})
}

// DelayOrder is POST …/delay.
func (s *Server) DelayOrder(w http.ResponseWriter, r *http.Request, id api.OrderID, _ api.DelayOrderParams) {
	actOn(s, w, r, id, func(b api.PrepRequest) orders.Command { return orders.Delay{PrepMinutes: b.PrepMinutes} })
}

// ReadyOrder is POST …/ready.
func (s *Server) ReadyOrder(w http.ResponseWriter, r *http.Request, id api.OrderID, _ api.ReadyOrderParams) {
	s.act(w, r, id, orders.Ready{})
}

// AmendOrder is POST …/amendments.
func (s *Server) AmendOrder(w http.ResponseWriter, r *http.Request, id api.OrderID, _ api.AmendOrderParams) {
	actOn(s, w, r, id, func(b api.AmendRequest) orders.Command {
		c := orders.Amend{ItemID: b.ItemID, Change: b.Change, Quantity: b.Quantity}
		if sub := b.Substitute; sub != nil {
			c.Substitute = &orders.Substitute{ItemID: sub.ItemID, Name: sub.Name, UnitPrice: -1}
			if sub.UnitPrice != nil {
				c.Substitute.UnitPrice = *sub.UnitPrice
			}
		}
		return c
	})
}

// AcceptAmendment is POST …/amendments/{n}/accept.
func (s *Server) AcceptAmendment(w http.ResponseWriter, r *http.Request, id api.OrderID, n api.AmendmentNumber, _ api.AcceptAmendmentParams) {
	s.act(w, r, id, orders.AcceptAmendment{N: n})
}

// RejectAmendment is POST …/amendments/{n}/reject.
func (s *Server) RejectAmendment(w http.ResponseWriter, r *http.Request, id api.OrderID, n api.AmendmentNumber, _ api.RejectAmendmentParams) {
	actOn(s, w, r, id, func(b api.RejectAmendmentRequest) orders.Command {
		return orders.RejectAmendment{N: n, CancelOrder: b.CancelOrder}
	})
}

// CancelOrder is POST …/cancel.
func (s *Server) CancelOrder(w http.ResponseWriter, r *http.Request, id api.OrderID, _ api.CancelOrderParams) {
	actOn(s, w, r, id, func(b api.CancelRequest) orders.Command {
		return orders.Cancel{Reason: b.Reason, OutOfStock: b.OutOfStockItems, Note: b.Note}
	})
}

// ApproveCancellation is POST …/cancellation/approve.
func (s *Server) ApproveCancellation(w http.ResponseWriter, r *http.Request, id api.OrderID, _ api.ApproveCancellationParams) {
	s.act(w, r, id, orders.ApproveCancellation{})
}

// DenyCancellation is POST …/cancellation/deny.
func (s *Server) DenyCancellation(w http.ResponseWriter, r *http.Request, id api.OrderID, _ api.DenyCancellationParams) {
	s.act(w, r, id, orders.DenyCancellation{})
}

// AssignCourier is PUT …/courier.
func (s *Server) AssignCourier(w http.ResponseWriter, r *http.Request, id api.OrderID, _ api.AssignCourierParams) {
	actOn(s, w, r, id, func(b api.CourierRequest) orders.Command {
		return orders.Assign{Courier: orders.Courier{ID: b.CourierID, Name: b.Name, Vehicle: b.Vehicle, Phone: b.Phone}}
	})
}

// UnassignCourier is DELETE …/courier.
func (s *Server) UnassignCourier(w http.ResponseWriter, r *http.Request, id api.OrderID, _ api.UnassignCourierParams) {
	s.act(w, r, id, orders.Unassign{})
}

// ArriveOrder is POST …/arrive.
func (s *Server) ArriveOrder(w http.ResponseWriter, r *http.Request, id api.OrderID, _ api.ArriveOrderParams) {
	actOn(s, w, r, id, func(b api.ArriveRequest) orders.Command { return orders.Arrive{Stop: b.Stop} })
}

// PickupOrder is POST …/pickup.
func (s *Server) PickupOrder(w http.ResponseWriter, r *http.Request, id api.OrderID, _ api.PickupOrderParams) {
	actOn(s, w, r, id, func(b api.PickupRequest) orders.Command { return orders.Pickup{Code: b.Code} })
}

// DeliverOrder is POST …/deliver.
func (s *Server) DeliverOrder(w http.ResponseWriter, r *http.Request, id api.OrderID, _ api.DeliverOrderParams) {
	actOn(s, w, r, id, func(b api.DeliverRequest) orders.Command { return orders.Hand{PIN: b.PIN, PhotoRef: b.PhotoRef} })
}

// ReportProblem is POST …/problem.
func (s *Server) ReportProblem(w http.ResponseWriter, r *http.Request, id api.OrderID, _ api.ReportProblemParams) {
	actOn(s, w, r, id, func(b api.ProblemRequest) orders.Command { return orders.ReportProblem{Type: b.Type, Note: b.Note} })
}

// FailOrder is POST …/fail.
func (s *Server) FailOrder(w http.ResponseWriter, r *http.Request, id api.OrderID, _ api.FailOrderParams) {
	actOn(s, w, r, id, func(b api.FailRequest) orders.Command {
		return orders.Fail{Reason: b.Reason, Disposition: b.Disposition, Note: b.Note}
	})
}

// ReturnOrder is POST …/returned.
func (s *Server) ReturnOrder(w http.ResponseWriter, r *http.Request, id api.OrderID, _ api.ReturnOrderParams) {
	s.act(w, r, id, orders.ReturnMade{})
}
