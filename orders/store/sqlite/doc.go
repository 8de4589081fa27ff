// Package sqlite keeps orders in SQLite: a file orders.db in a data folder, and day files under archive/ for what is
// over. It implements [orders.Store] for one process, which locks the folder.
//
// One connection writes, through the driver's bare statements, and others read. The WAL is moved into the file beside
// the writer, so that commits stay short.
package sqlite
