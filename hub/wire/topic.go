package wire

import "strings"

// TopicKind is what a topic is about.
type TopicKind string

const (
	TopicOrder      TopicKind = "order"      // order/{id}: one order
	TopicRestaurant TopicKind = "restaurant" // restaurant/{id}: a board, all running orders of a restaurant
	TopicCourier    TopicKind = "courier"    // courier/{id}: a board, all running orders of a courier
)

// Topic is something that can be watched, written kind/id.
type Topic struct {
	Kind TopicKind
	ID   string
}

// OrderTopic is the topic of one order.
func OrderTopic(id string) Topic { return Topic{TopicOrder, id} }

// Board reports whether the topic shows many orders.
func (t Topic) Board() bool { return t.Kind != TopicOrder }

func (t Topic) String() string { return string(t.Kind) + "/" + t.ID }

// maxTopicID is the longest id in a topic, in bytes.
const maxTopicID = 64

// ParseTopic reads kind/id. ok is false for another kind, an empty or overlong id, and characters that no id has.
func ParseTopic(s string) (t Topic, ok bool) {
	kind, id, found := strings.Cut(s, "/")
	if !found || id == "" || len(id) > maxTopicID || strings.ContainsFunc(id, notInID) {
		return Topic{}, false
	}
	switch k := TopicKind(kind); k {
	case TopicOrder, TopicRestaurant, TopicCourier:
		return Topic{k, id}, true
	}
	return Topic{}, false
}

func notInID(r rune) bool {
	switch {
	case r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', strings.ContainsRune("_.:-", r):
		return false
	}
	return true
}
