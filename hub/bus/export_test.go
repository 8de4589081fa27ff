package bus

import "time"

// KeepStreams has the streams hold less than they do, before Run.
func (r *Redis) KeepStreams(d time.Duration) { r.kept = d }

// Waiting is how many messages wait to be published.
func (r *Redis) Waiting() int { return int(r.waiting.Load()) }

// MaxWaiting is the most of them.
const MaxWaiting = maxWaiting
