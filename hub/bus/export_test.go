package bus

import (
	"context"
	"time"
)

// PublishKind publishes a message of a kind to all nodes.
func (r *Redis) PublishKind(ctx context.Context, kind byte) error {
	gen := r.generation().ID
	keys, args := r.noticeArgs(gen, appendHead(nil, gen, time.Now(), kind))
	return publishNotice.Run(ctx, r.data.Load(), keys, args...).Err()
}

// Raw is a message with a number that nobody counted, and the channel to publish it to.
func (r *Redis) Raw(n int64, kind byte) (channel, message string) {
	return r.name[notices].channel(), string(appendHead([]byte(itoa(n)), r.generation().ID, time.Now(), kind))
}

// KeepStreams has the streams hold less than they do, before Run.
func (r *Redis) KeepStreams(d time.Duration) { r.kept = d }

// Waiting is how many messages wait to be published.
func (r *Redis) Waiting() int { return int(r.waiting.Load()) }

// MaxWaiting is the most of them.
const MaxWaiting = maxWaiting
