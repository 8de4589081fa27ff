package store

import (
	"context"
	"fmt"
	"strings"

	"doorbell/orders"
)

// seqsSizes are how many ids the texts of Seqs take: few texts, so that each stays prepared.
var seqsSizes = [...]int{1, 10, 100, orders.MaxSeqs}

// readSeqs is the text that reads the seq of so many orders.
func readSeqs(ids int) string {
	var b strings.Builder
	b.WriteString(`SELECT id, seq FROM orders WHERE id IN (`)
	for i := range ids {
		if i > 0 {
			b.WriteString(`, `)
		}
		fmt.Fprintf(&b, `$%d`, i+1)
	}
	b.WriteString(`)`)
	return b.String()
}

// Seqs implements [orders.Store].
func (s *Store) Seqs(ctx context.Context, ids []string) (map[string]int64, error) {
	out := make(map[string]int64, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	if len(ids) > orders.MaxSeqs {
		return nil, internal(fmt.Errorf("%d ids at a time, at most %d", len(ids), orders.MaxSeqs))
	}
	size := orders.MaxSeqs
	for _, n := range seqsSizes {
		if n >= len(ids) {
			size = n
			break
		}
	}
	args := make([]any, size)
	for i := range args {
		args[i] = ids[min(i, len(ids)-1)]
	}
	err := s.each(ctx, readSeqs(size), args, func(scan Scan) error {
		var id string
		var seq int64
		err := scan(&id, &seq)
		out[id] = seq
		return err
	})
	if err != nil {
		return nil, s.Told(err)
	}
	return out, nil
}
