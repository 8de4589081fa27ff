// Package riderapp reads what rider apps send: OwnTracks, Traccar Client (both of its forms), Overland, GPSLogger and the
// native batch. Each decoder turns a request into fixes in our units and the exact answer that its app waits for; each
// app's settings, ready to load, are in Rider. Who may post, and what becomes of the fixes, is not its business.
//
// The one rule to know: a fix that cannot be read is replaced by track.Unplaced and never costs the others; an error means
// that the request as a whole is not what the door is for. Errors are *orders.Error of kind invalid or too_large.
package riderapp
