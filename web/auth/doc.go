// Package auth decides who is asking: it turns a bearer token into an [Identity], or says with one Unauthenticated error
// which rule the token broke.
//
// A token is a JWT (HS256 with our own secret, or RS, PS, ES and EdDSA with keys from a JWKS) or a tracking capability
// ("trk_…"). Beside that stand the things that are asked about a caller before its request is looked at: revocations,
// rate limits per subject, and the address behind trusted proxies.
//
// What a caller may see or do is not decided here; that is [orders.Ownership.VisibleTo] and the operation itself.
//
// One rule to know: an Identity made from a tracking capability is a claim, not a proof, until [Identity.Opens] has
// compared its key with the order's. Whoever answers a tracker asks Opens first.
package auth
