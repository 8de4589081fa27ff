package track

// Reason says why a fix was dropped. The words are part of the API: "dropped" in the answer to a post.
type Reason string

const (
	Invalid   Reason = "INVALID"   // no place on earth, (0,0), not readable, or a fix time before the year 2000
	Future    Reason = "FUTURE"    // its fix time is more than 60 s ahead of ours
	Stale     Reason = "STALE"     // its fix time is longer ago than tracks are kept
	Duplicate Reason = "DUPLICATE" // this device sent a fix of this time before
	Teleport  Reason = "TELEPORT"  // too far from the last fix for the time between; kept aside until two more agree with it
	TooMany   Reason = "TOO_MANY"  // beyond the first 1,000 of a post
)

// Reasons lists every Reason.
var Reasons = []Reason{Invalid, Future, Stale, Duplicate, Teleport, TooMany}

// Drop names a fix of a post that was not stored.
type Drop struct {
	I      int    `json:"i"` // its index as posted
	Reason Reason `json:"reason"`
}
