-- +goose Up

-- A restaurant's board also shows what comes back to it.
DROP INDEX orders_restaurant_running;
CREATE INDEX orders_restaurant_running ON orders (restaurant_id, id) WHERE ended_at = 0 OR is_returning = 1;
DROP INDEX orders_courier_running;
CREATE INDEX orders_courier_running ON orders (courier_id, id)
	WHERE courier_id <> '' AND (ended_at = 0 OR is_returning = 1);
