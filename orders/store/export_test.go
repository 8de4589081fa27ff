package store

import "doorbell/orders"

// What the tests of the texts, which need both engines, see of this package.
var (
	ReadUnpaid   = readUnpaid
	ReadTimers   = readTimers
	ReadEvents   = readEvents
	ReadOrder    = readOrder
	DropKeysText = DropKeys.Text()

	ReadTrack         = readTrack
	ReadTrackEnd      = readTrackEnd
	ReadCourierFixes  = readCourierFixes
	ReadFullEnd       = readFullEnd
	ReadThinEnd       = readThinEnd
	ReadDevices       = readDevices
	ReadDeviceByToken = readDeviceByToken

	DropTrackText  = dropTrack.Text()
	KeepFirstText  = keepFirst.Text()
	DropOthersText = dropOthers.Text()
	DropThinText   = dropThin.Text()
	DropFullText   = dropFull.Text()
	AddDeviceText  = addDevice.Text()
)

// ListText is the text of a list's page behind before.
func ListText(q orders.Query, restaurant, before string) string {
	f := filterOf(q, before)
	if restaurant != "" {
		f.add(`restaurant_id = $%d`, restaurant)
	}
	text, _ := f.text(`change_id, doc`, 50)
	return text
}
