package storetest

import (
	"errors"
	"testing"

	"doorbell/orders"
)

// Run runs the suite. open gives each test an empty Engine of its own.
func Run(t *testing.T, open func(t *testing.T) Engine) {
	for _, s := range []struct {
		name string
		test func(*testing.T, Engine)
	}{
		{"AnOrderComesBackAsItWasStored", orderComesBack},
		{"AnUnknownOrderIsNotFound", unknownOrder},
		{"OwnershipIsTheOrdersOwn", ownership},
		{"AChangeWithoutEventsIsStored", changeWithoutEvents},
		{"AChangeOnAnOldBaseIsLost", oldBase},
		{"AnOrderIsPlacedOnce", placedOnce},
		{"OfTwoChangesOfOneOrderOneWins", twoWriters},
		{"TwoChangesInOneGroupHaveOneWinner", sameGroup},
		{"ChangesBeforeRunWait", waitForRun},
		{"ChangesAfterRunAreUnavailable", afterRun},
		{"ACallerWhoLeavesIsToldUnavailable", callerLeaves},

		{"AnIdempotencyKeyIsUsedOnce", oneKey},
		{"AKeyOfALostChangeIsFree", lostKey},
		{"AKeyGoesWithAnUpdate", keyedUpdate},
		{"OldKeysAreDropped", oldKeys},

		{"OneBadRowFailsAlone", badRow},
		{"ALostAnswerOfAMadeCommitIsSuccess", commitMade},
		{"ALostAnswerOfAFailedCommitIsUnavailable", commitFailed},

		{"TimersFollowTheOrder", timers},
		{"DueComesInOrderWithWhatFollows", dueInOrder},
		{"EventsArePaged", eventPages},

		{"ListsArePagedNewestFirst", listPages},
		{"APageStaysRightWhileOrdersAreAdded", listWhileAdding},
		{"ListsAreFiltered", listFilters},
		{"AMadeUpCursorIsInvalid", madeUpCursor},
		{"UnpaidOrdersAreCounted", unpaid},

		{"RevocationsKeepTheLatest", revocations},
		{"ARestaurantIsReplacedByVersion", restaurants},
		{"OfManyRestaurantWritersOneWins", restaurantRace},
		{"ARestaurantIsNeverStale", restaurantNeverStale},

		{"FixesAreReadByTimeAPageAtATime", trackPages},
		{"AFixIsStoredOnceHoweverManyBringIt", trackRace},
		{"WhatIsNoTrackIsRefused", trackRefused},
		{"TracksWaitForRunAndEndWithIt", trackRuns},
		{"OfEachMinuteTheFirstFixIsKept", trackThinned},
		{"AMinuteThatWasThinnedKeepsOneFix", trackThinnedLate},
		{"OldTracksAreDropped", tracksDropped},
		{"ATrackIsDeletedWhole", trackDeleted},
		{"TheTracksOfACourierAreDeleted", tracksOfCourier},
		{"TracksMayBeThinnedWhileTheyAreWritten", tracksAtOnce},

		{"ADeviceIsFoundByItsTokenUntilItIsRevoked", devices},
		{"DevicesAreListedNewestFirst", devicesListed},
		{"ACourierHasSoManyDevices", deviceLimit},
		{"DevicesAddedAtOnceKeepTheLimit", deviceRace},
		{"ADeviceIsStoredOnce", deviceOnce},
		{"ADeviceWhoseCommitLostItsAnswerIsThere", deviceCommitMade},

		{"EndedOrdersAreArchived", archive},
		{"ReadyAndTheClockAnswer", ready},
	} {
		t.Run(s.name, func(t *testing.T) { s.test(t, open(t)) })
	}
}

// wantKind fails the test unless err is of this kind.
func wantKind(t *testing.T, err error, kind orders.Kind) {
	t.Helper()
	if orders.KindOf(err) != kind {
		t.Errorf("error %v, want kind %s", err, kind)
	}
}

// wantErr fails the test unless err is target.
func wantErr(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error %v, want %v", err, target)
	}
}
