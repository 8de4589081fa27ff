// Package track decides what happens to each position of a courier: which fixes are stored, which one may be shown, when
// a courier is near or has arrived, and when the food will be there. It is functions on values: no I/O, no clock, no
// goroutine. Where a [State] is kept, who may see a position and how it reaches them is its callers' business, and the
// formats of rider apps are riderapp's, below.
//
// The one rule to know: [Accept] never shows a fix older than one it took before, and a position is shown only by way of
// Result.Live. Coordinates are WGS-84 degrees, lengths metres, speeds metres a second, times milliseconds since 1970.
package track
