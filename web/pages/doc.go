// Package pages holds the web pages that the binary carries: HTML, scripts and their licences, embedded, so that they work
// without any other host.
//
// redoc.js.gz is Redoc 3.0.1 (MIT, redoc-license.txt): package/bundles/redoc.standalone.js of `npm pack redoc@3.0.1`,
// unchanged, put through `gzip -9 -n`. A test knows its SHA-256.
package pages
