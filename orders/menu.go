package orders

import (
	"context"
	"errors"
)

// Restaurant reads a restaurant; anyone may. The caller must not change what it points to. NotFound.
func (s *Service) Restaurant(ctx context.Context, id string) (*Restaurant, error) {
	return s.store.Restaurant(ctx, id)
}

// PutRestaurant creates or replaces a restaurant and reports whether it is new. match reports whether a version
// (0: none yet) is one the caller expects, nil = any. Errors: PreconditionFailed, Unprocessable for a menu that names an item twice.
func (s *Service) PutRestaurant(ctx context.Context, r Restaurant, match func(version int64) bool) (_ *Restaurant, created bool, err error) {
	if err := checkMenu(r.Menu); err != nil {
		return nil, false, err
	}
	out, err := s.editRestaurant(ctx, r.ID, match, func(old *Restaurant) (Restaurant, error) {
		created = old == nil
		return r, nil
	})
	return out, created, err
}

// ItemPatch changes a menu item; nil fields stay.
type ItemPatch struct {
	Available *bool
	Name      *string
	UnitPrice *int64
}

// PatchItem changes one menu item. Errors: NotFound for an unknown restaurant or item, PreconditionFailed.
func (s *Service) PatchItem(ctx context.Context, restaurant, item string, p ItemPatch, match func(version int64) bool) (*Restaurant, error) {
	return s.editRestaurant(ctx, restaurant, match, func(old *Restaurant) (Restaurant, error) {
		if old == nil {
			return Restaurant{}, Errorf(NotFound, "no such restaurant")
		}
		next := *old
		next.Menu = append([]MenuItem(nil), old.Menu...)
		for i := range next.Menu {
			if m := &next.Menu[i]; m.ItemID == item {
				set(&m.Available, p.Available)
				set(&m.Name, p.Name)
				set(&m.UnitPrice, p.UnitPrice)
				return next, nil
			}
		}
		return Restaurant{}, Errorf(NotFound, "no such item on the menu")
	})
}

func set[T any](to *T, v *T) {
	if v != nil {
		*to = *v
	}
}

// editRestaurant writes what edit makes of the stored restaurant (nil: there is none), until nobody else was faster.
func (s *Service) editRestaurant(ctx context.Context, id string, match func(version int64) bool, edit func(*Restaurant) (Restaurant, error)) (*Restaurant, error) {
	for range casTries {
		old, err := s.store.Restaurant(ctx, id)
		if KindOf(err) == NotFound {
			old = nil
		} else if err != nil {
			return nil, err
		}
		var version int64
		if old != nil {
			version = old.Version
		}
		if match != nil && !match(version) {
			return nil, Errorf(PreconditionFailed, "the restaurant is at version %d", version)
		}
		next, err := edit(old)
		if err != nil {
			return nil, err
		}
		next.ID, next.Version, next.UpdatedAt = id, version, s.Now()
		out, err := s.store.PutRestaurant(ctx, next)
		if errors.Is(err, ErrLost) {
			continue
		}
		return out, err
	}
	return nil, Errorf(Unavailable, "too many changes of this restaurant at once, try again")
}

func checkMenu(menu []MenuItem) error {
	if len(menu) > MaxMenu {
		return fieldErr("/menu", "at most %d items", MaxMenu)
	}
	seen := make(map[string]bool, len(menu))
	for i, m := range menu {
		if seen[m.ItemID] {
			return fieldErr("/menu/"+itoa(i)+"/itemId", "named twice: %s", m.ItemID)
		}
		seen[m.ItemID] = true
	}
	return nil
}

// priceSubstitute gives a substitute its name and price: the menu's where there is one, else its own.
func (r *Restaurant) priceSubstitute(s Substitute) (Substitute, error) {
	m, ok := r.Item(s.ItemID)
	switch {
	case len(r.Menu) > 0 && !ok:
		return s, fieldErr("/substitute/itemId", "not on the menu: %s", s.ItemID)
	case len(r.Menu) > 0 && !m.Available:
		e := Errorf(Conflict, "the substitute is sold out")
		e.Code, e.Fields = CodeItemSoldOut, []FieldError{{"/substitute/itemId", "sold out: " + s.ItemID}}
		return s, e
	case len(r.Menu) > 0:
		return Substitute{s.ItemID, m.Name, m.UnitPrice}, nil
	case s.Name == "":
		return s, fieldErr("/substitute/name", "needed where the restaurant has no menu")
	case s.UnitPrice < 0:
		return s, fieldErr("/substitute/unitPrice", "needed where the restaurant has no menu")
	}
	return s, nil
}
