// Package web is the HTTP edge: router, tokens, REST handlers, problem bodies, health, metrics and pages. It speaks
// HTTP and JSON; what an order may do is decided in package orders, what a request looks like in openapi.yaml.
//
// One rule to know: every operation of the document passes the checks of guard.go, in the order of design section 7:
// token (401), rate (429), visible (404), role (403), schema (400). Only then its handler runs, which finds
// precondition (412), state (409) and rules (422) in package orders.
// Rider apps' doors (door.go) take a device's token instead, and what an app sends is its decoder's to judge.
package web
