// Package deploy holds what runs an installation of many nodes, beside the compose.yaml at the top: the gateway's
// configuration, what Prometheus collects and when it calls somebody, and the dashboard. There is no code here but that
// of setup, which makes an installation's secrets, and the tests: they run the gateway as it is configured here before
// real nodes, and hold names of metrics, flags and files against those that exist. The one rule to know: no node is
// named anywhere, they are found by DNS, so that nodes come and go without an edit or a restart.
package deploy
