package faults

import (
	"syscall"
	"time"
)

// nodeFaults are what may happen to a node.
var nodeFaults = []fault{
	{name: "api node killed (kill -9)", up: true, hold: time.Second, begin: kill("api"), end: startVictim},
	{name: "hub node killed (kill -9)", up: true, hold: time.Second, begin: kill("hub"), end: startVictim},
	{name: "callbacks node killed (kill -9)", up: true, hold: time.Second, begin: kill("callbacks"), end: startVictim},
	{name: "rolling restart (SIGTERM), every node", up: true, begin: rollAll},
}

// kill kills any node that plays a role.
func kill(role string) func(*world) {
	return func(w *world) {
		w.victim = w.any(role)
		w.victim.kill()
	}
}

func startVictim(w *world) { w.victim.start() }

// rollAll stops every node as an operator does, one after another, each once the one before is back.
func rollAll(w *world) {
	for _, n := range w.nodes {
		n.stop()
		n.start()
		eventually(w.t, func() (bool, string) {
			n.mu.Lock()
			defer n.mu.Unlock()
			return n.ready, n.name + " is not ready"
		})
	}
}

// frozen is a node that stops for longer than anything is kept for it, and then goes on as if nothing were.
var frozen = fault{
	name: "hub frozen for 40 s (SIGSTOP)", hold: 40 * time.Second, blind: true,
	begin: func(w *world) {
		w.victim = w.any("hub")
		w.victim.signal(syscall.SIGSTOP)
	},
	end: func(w *world) {
		// What Redis sent it meanwhile may wait in the kernel, and then nothing is missing. A busy Redis would have thrown it
		// out; this one is helped to.
		w.toRedis[w.victim.name].Reset()
		w.victim.signal(syscall.SIGCONT)
	},
}

// wrongClock has timers and times come from a node whose clock is ten minutes fast, then ten minutes slow.
var wrongClock = fault{
	name: "an api node's clock ten minutes off", up: true,
	begin: func(w *world) {
		n := w.any("api")
		w.victim = n
		for _, off := range []string{"10m", "-10m"} {
			n.stop()
			n.start("DOORBELL_FAULT_CLOCK=" + off)
			time.Sleep(max(payBy, acceptBy) + time.Second) // long enough for every timer
		}
	},
	end: func(w *world) {
		w.victim.stop()
		w.victim.start()
	},
}
