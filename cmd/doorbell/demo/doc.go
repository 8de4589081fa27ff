// Package demo plays a delivery platform against a running server: customers, merchants, couriers, a dispatcher and a
// payment provider, each with its own token, through the public API and live sockets only. The terminal shows side by
// side what each of them does and sees.
package demo
