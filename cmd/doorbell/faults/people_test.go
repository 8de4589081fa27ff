package faults

import (
	"fmt"
	"testing"
	"time"

	"doorbell/orders"
	"doorbell/web/auth"
)

// person is somebody with a token.
type person struct {
	role  orders.Role
	id    string // of the subject; of a merchant the restaurant's
	token string
}

// people is everybody who takes part.
type people struct {
	customers, merchants, couriers []person
	payment, ops                   person
}

func newPeople(t testing.TB, secret []byte, customers, merchants, couriers int) (p people) {
	t.Helper()
	mint := func(role orders.Role, sub string, restaurants ...string) person {
		text, err := auth.Mint(secret, auth.Claims{
			Subject: sub, Role: role, Restaurants: restaurants,
			IssuedAt: time.Now().Add(-time.Minute), ExpiresAt: time.Now().Add(1000 * time.Hour),
		})
		if err != nil {
			t.Fatal(err)
		}
		return person{role, sub, text}
	}
	for i := range customers {
		p.customers = append(p.customers, mint(orders.RoleCustomer, fmt.Sprint("cus_", i)))
	}
	for i := range merchants {
		m := mint(orders.RoleMerchant, fmt.Sprint("mer_", i), fmt.Sprint("res_", i))
		m.id = fmt.Sprint("res_", i)
		p.merchants = append(p.merchants, m)
	}
	for i := range couriers {
		p.couriers = append(p.couriers, mint(orders.RoleCourier, fmt.Sprint("cou_", i)))
	}
	p.payment, p.ops = mint(orders.RolePayment, "pay_1"), mint(orders.RoleOps, "ops_1")
	return p
}
