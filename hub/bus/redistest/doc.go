// Package redistest runs real Redis servers for tests: one alone, a Cluster, or a primary with a replica that Sentinels
// watch. They listen on free ports of the loopback, keep their files in temporary folders, and end with the test and
// with its process. A missing program fails the test with the line that installs it.
package redistest
