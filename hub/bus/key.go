package bus

import (
	"strconv"
)

const (
	orderPartitions = 64              // by order id
	notices         = orderPartitions // the partition of what every node must hear: restaurants, revocations
	partitions      = orderPartitions + 1

	clusterSlots = 16384
)

// partitionOf is the partition of an order (FNV-1a of its id). All nodes must agree on it.
func partitionOf(id string) int {
	h := uint64(14695981039346656037)
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * 1099511628211
	}
	return int((h ^ h>>32) % orderPartitions)
}

// tags are the partitions' hash tags. Each is chosen so that its slot lies in its own 65th of them: a Cluster shares the
// slots out in stretches, so its nodes get equal shares of the partitions, as tags 0, 1, 2… would not.
var tags = func() (t [partitions]string) {
	for i := range t {
		for n := 0; ; n++ {
			t[i] = "p" + strconv.Itoa(i) + "-" + strconv.Itoa(n)
			if slot(t[i])*partitions/clusterSlots == i {
				break
			}
		}
	}
	return t
}()

// slot is the slot of a hash tag in a Cluster: CRC16 (XMODEM), https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
func slot(tag string) int {
	var crc uint16
	for i := range len(tag) {
		crc ^= uint16(tag[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc) % clusterSlots
}

// names are the keys and channels of one partition. All have its tag, so a script may use several of them.
type names struct{ base string }

// namesOf is the names of a partition of an installation.
func namesOf(prefix string, partition int) names {
	return names{prefix + ":{" + tags[partition] + "}:"}
}

// marker holds the id of the generation that Redis is in (string, for good). A script that finds another does nothing.
func (n names) marker() string { return n.base + "generation" }

// channel carries what happens in the partition: a number, then a message, see message.go.
func (n names) channel() string { return n.base + "events" }

// positions carries the positions of one order.
func (n names) positions(order string) string { return n.base + "position:" + order }

// Everything else belongs to a generation: what another one left is never read.

// counter is the number of the partition's last message (string; it lasts as long as its generation, and an hour).
func (n names) counter(gen string) string { return n.base + gen + ":n" }

// stream keeps the last messages (stream; entry n-0 is message n, in the field d; streamKept, as long as its generation).
func (n names) stream(gen string) string { return n.base + gen + ":events" }

// order keeps an order as it is now (hash; runningKept and endedKept after its last change): s its seq, o who may see
// it, d its document, w its window (see window; "" = closed), e0 to e7 its last events: that of a seq is in e(seq mod 8).
func (n names) order(gen, id string) string { return n.base + gen + ":o:" + id }

// position keeps the last position of an order while its window is open (string; positionKept).
func (n names) position(gen, id string) string { return n.base + gen + ":at:" + id }

// courier keeps what is remembered of a courier's posts (hash; courierKept after the last): m the mark of who wrote it, d
// the rest.
func (n names) courier(gen, id string) string { return n.base + gen + ":c:" + id }

// restaurant keeps a restaurant (hash; restaurantKept): v its version, u when it was changed in µs, d its document.
func (n names) restaurant(gen, id string) string { return n.base + gen + ":r:" + id }
