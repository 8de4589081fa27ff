package bus

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// What a script answers besides a number of its own.
const (
	answerOld     = 0  // not newer than what is there
	answerOlder   = 2  // a later position is out
	answerRefused = -1 // Redis is in another generation
	answerUnknown = -2 // nothing is kept of that order
)

// publishOrder keeps an order's latest state, and tells of it where channel is not "".
//
//	keys: marker, order, counter, stream, position
//	args: generation, seq, window, lifetime in ms, channel, message, PUBLISH or SPUBLISH, then fields and values
//
// It answers the message's number (1 without a channel), answerOld or answerRefused. All values come ready made: what is
// slow in Redis is slow for everybody.
var publishOrder = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
local had = redis.call('HMGET', KEYS[2], 's', 'w')
if had[1] and tonumber(had[1]) >= tonumber(ARGV[2]) then return 0 end
if had[2] and had[2] ~= ARGV[3] then redis.call('DEL', KEYS[5]) end
redis.call('HSET', KEYS[2], 's', ARGV[2], 'w', ARGV[3], unpack(ARGV, 8))
redis.call('PEXPIRE', KEYS[2], ARGV[4])
if ARGV[5] == '' then return 1 end
local n = redis.call('INCR', KEYS[3])
redis.call('XADD', KEYS[4], n .. '-0', 'd', ARGV[6])
redis.call(ARGV[7], ARGV[5], n .. ARGV[6])
return n`)

// publishNotice tells every node something.
//
//	keys: marker, counter, stream
//	args: generation, channel, message, PUBLISH or SPUBLISH
var publishNotice = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
local n = redis.call('INCR', KEYS[2])
redis.call('XADD', KEYS[3], n .. '-0', 'd', ARGV[3])
redis.call(ARGV[4], ARGV[2], n .. ARGV[3])
return n`)

// publishPosition hands on a position, if the order's window is open for that courier and epoch, and keeps it.
//
//	keys: marker, order, position
//	args: generation, window, point, lifetime in ms, channel, PUBLISH or SPUBLISH
//
// It answers 1, 0 where the window is closed or another's, answerOlder, answerUnknown or answerRefused. Without a point
// it only looks.
var publishPosition = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
local w = redis.call('HGET', KEYS[2], 'w')
if not w then return -2 end
if w ~= ARGV[2] then return 0 end
if ARGV[3] == '' then return 1 end
local last = redis.call('GETRANGE', KEYS[3], 1, 8)
if last > string.sub(ARGV[3], 2, 9) then return 2 end
redis.call('SET', KEYS[3], ARGV[3], 'PX', ARGV[4])
redis.call(ARGV[6], ARGV[5], ARGV[3])
return 1`)

// saveCourier keeps what is remembered of a courier, if nobody else did since it was read.
//
//	keys: marker, courier
//	args: generation, the mark that was read ("0" = nothing was there), the new one, data, lifetime in ms
var saveCourier = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
if (redis.call('HGET', KEYS[2], 'm') or '0') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[2], 'm', ARGV[3], 'd', ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return 1`)

// keepRestaurant keeps a restaurant that is newer than what is there.
//
//	keys: marker, restaurant
//	args: generation, version, time in µs, document, lifetime in ms
var keepRestaurant = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
local v = redis.call('HGET', KEYS[2], 'v')
if v and tonumber(v) >= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[2], 'v', ARGV[2], 'u', ARGV[3], 'd', ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return 1`)

// setMarker begins a generation, and gives what the one before left an hour.
//
//	keys: marker, counter and stream of the generation before
//	args: the generation that was seen there ("" = none), the new one
//
// It answers 1 where the marker names the new one now, 0 where it named neither: then somebody else was faster.
var setMarker = redis.NewScript(`
local m = redis.call('GET', KEYS[1]) or ''
if m == ARGV[2] then return 1 end
if m ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
if m ~= '' then
	redis.call('EXPIRE', KEYS[2], 3600)
	redis.call('EXPIRE', KEYS[3], 3600)
end
return 1`)

var scripts = []*redis.Script{publishOrder, publishNotice, publishPosition, saveCourier, keepRestaurant, setMarker}

// loadScripts makes the scripts known to Redis, which forgets them when it starts anew.
func loadScripts(ctx context.Context, c redis.UniversalClient) error {
	for _, s := range scripts {
		if err := s.Load(ctx, c).Err(); err != nil {
			return err
		}
	}
	return nil
}

// unknownScript reports that Redis has forgotten a script.
func unknownScript(err error) bool { return redis.HasErrorPrefix(err, "NOSCRIPT") }
