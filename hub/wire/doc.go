// Package wire is the JSON of the live protocol, doorbell.v1: what a client may say and what the hub answers, parsed and
// formatted. It knows no socket and no session.
//
// A text message holds one or more JSON objects, one per line. A line that cannot be read is answered with an error
// frame and ends nothing: every error here names the field and, where the line had one, the id to answer to.
package wire
