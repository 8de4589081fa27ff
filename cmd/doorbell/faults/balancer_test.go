package faults

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

// How the balancer looks after the nodes. It looks more often than a real one, since the suite's faults are short.
const (
	checkEvery   = 250 * time.Millisecond
	checkTimeout = time.Second
)

// balancer sends clients to the nodes that said they are ready, at random; to any where none is.
type balancer struct {
	nodes  []*node
	client *http.Client
}

func newBalancer(nodes []*node) *balancer {
	return &balancer{nodes, &http.Client{Timeout: checkTimeout, Transport: &http.Transport{DisableKeepAlives: true}}}
}

// run asks every node for its readiness until ctx ends.
func (b *balancer) run(ctx context.Context) {
	var all sync.WaitGroup
	for _, n := range b.nodes {
		all.Go(func() {
			t := time.NewTicker(checkEvery)
			defer t.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-t.C:
					n.mark(b.ready(ctx, n))
				}
			}
		})
	}
	all.Wait()
}

func (b *balancer) ready(ctx context.Context, n *node) bool {
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+n.at()+"/readyz", nil)
	if err != nil {
		return false
	}
	res, err := b.client.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// pick chooses a node that plays a role.
func (b *balancer) pick(role string) *node {
	var ready, all []*node
	for _, n := range b.nodes {
		if !n.has(role) {
			continue
		}
		all = append(all, n)
		n.mu.Lock()
		if n.ready {
			ready = append(ready, n)
		}
		n.mu.Unlock()
	}
	if len(ready) > 0 {
		all = ready
	}
	return all[rand.IntN(len(all))]
}

// dial opens a connection to a node that plays a role. It is what clients are given in place of their own dialling.
func (b *balancer) dial(role string) func(ctx context.Context, network, _ string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, network, b.pick(role).at())
	}
}
