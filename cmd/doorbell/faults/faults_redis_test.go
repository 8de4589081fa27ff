package faults

import (
	"time"

	"doorbell/hub/bus/proxytest"
)

// redisFaults are what may happen to a Redis that stands alone.
var redisFaults = []fault{
	{
		name: "Redis killed, back empty", hold: 1500 * time.Millisecond, blind: true,
		begin: func(w *world) { w.redis.Kill() }, end: func(w *world) { w.redis.Start() },
	},
	{name: "Redis emptied (FLUSHALL)", up: true, blind: true, begin: func(w *world) { w.redis.Flush() }},
	{name: "Redis restored from an old file", blind: true, begin: func(w *world) {
		file := w.redis.Save()
		time.Sleep(time.Second) // of changes that the file does not know
		w.redis.RestoreFile(file)
	}},
	{
		name: "Redis black-holed", hold: 3 * time.Second, blind: true,
		begin: onEvery(redisProxies, (*proxytest.Proxy).BlackHole), end: onEvery(redisProxies, (*proxytest.Proxy).Heal),
	},
	{
		name: "Redis unreachable for one hub (cut)", hold: 2 * time.Second, blind: true,
		begin: func(w *world) { w.toRedis[w.any("hub").name].Cut() }, end: onEvery(redisProxies, (*proxytest.Proxy).Heal),
	},
	{name: "Redis connections reset (RST)", up: true, begin: onEvery(redisProxies, (*proxytest.Proxy).Reset)},
	{
		name: "Redis slow (100 ms each way)", hold: 2 * time.Second, up: true, blind: true,
		begin: onEvery(redisProxies, func(p *proxytest.Proxy) { p.Delay(100 * time.Millisecond) }),
		end:   onEvery(redisProxies, (*proxytest.Proxy).Heal),
	},
}

// onEvery does something to all proxies of one kind.
func onEvery(which func(*world) map[string]*proxytest.Proxy, do func(*proxytest.Proxy)) func(*world) {
	return func(w *world) {
		for _, p := range which(w) {
			do(p)
		}
	}
}

func redisProxies(w *world) map[string]*proxytest.Proxy { return w.toRedis }

func postgresProxies(w *world) map[string]*proxytest.Proxy { return w.toPG }
