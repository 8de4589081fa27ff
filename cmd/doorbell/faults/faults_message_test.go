package faults

import (
	"math/rand/v2"
	"strings"
	"time"

	"doorbell/hub/bus/proxytest"
)

// messageFaults are what may happen to single messages while the bus is up. Nothing is mended before all are whole, and
// nothing is changed meanwhile, so that it is the bus that notices.
var messageFaults = []fault{
	{
		name: "one pub/sub connection deaf though connected", hold: 2 * time.Second, up: true, mute: true,
		begin: func(w *world) {
			p := w.toRedis[w.any("hub").name]
			newest := p.Made()
			p.OnReply(func(reply []byte, conn int) [][]byte {
				if _, _, is := proxytest.Message(reply); is && conn <= newest { // one that is made anew hears
					return nil
				}
				return [][]byte{reply}
			})
		},
		end: onEvery(redisProxies, (*proxytest.Proxy).Heal),
	},
	{name: "messages dropped, three in ten", hold: 2 * time.Second, up: true, mute: true, begin: onHubs(drop), end: onEvery(redisProxies, (*proxytest.Proxy).Heal)},
	{name: "messages repeated, one in two", hold: 2 * time.Second, up: true, mute: true, begin: onHubs(repeat), end: onEvery(redisProxies, (*proxytest.Proxy).Heal)},
	{name: "messages reordered, one in two", hold: 2 * time.Second, up: true, mute: true, begin: onHubs(reorder), end: onEvery(redisProxies, (*proxytest.Proxy).Heal)},
}

// onHubs does something to the messages that reach hub nodes, each with what it has to remember.
func onHubs(do func() proxytest.OnReply) func(*world) {
	return func(w *world) {
		for name, p := range w.toRedis {
			if !strings.HasPrefix(name, "hub-") {
				continue
			}
			f := do()
			p.OnReply(func(reply []byte, conn int) [][]byte {
				if _, _, is := proxytest.Message(reply); !is {
					return [][]byte{reply}
				}
				return f(reply, conn)
			})
		}
	}
}

func drop() proxytest.OnReply {
	return func(reply []byte, _ int) [][]byte {
		if rand.IntN(10) < 3 {
			return nil
		}
		return [][]byte{reply}
	}
}

// repeat sends a message again, at once or behind a later one.
func repeat() proxytest.OnReply {
	var last []byte
	return func(reply []byte, _ int) [][]byte {
		was := last
		last = reply
		switch rand.IntN(4) {
		case 0:
			return [][]byte{reply, reply}
		case 1:
			if was != nil {
				return [][]byte{reply, was}
			}
		}
		return [][]byte{reply}
	}
}

// reorder keeps a message until after a later one, or for good where none comes.
func reorder() proxytest.OnReply {
	kept := map[int][]byte{} // by connection
	return func(reply []byte, conn int) [][]byte {
		if was := kept[conn]; was != nil {
			delete(kept, conn)
			return [][]byte{reply, was}
		}
		if rand.IntN(2) == 0 {
			kept[conn] = reply
			return nil
		}
		return [][]byte{reply}
	}
}
