// Package dirlock keeps a directory to one process, and within it to one user:
// what is cached in memory of the files there (the newest reading of each
// device, the days that are marked, the directory of devices) is right only
// while nobody else writes them.
package dirlock

import "errors"

// ErrInUse says that a directory is locked already, by this process or another;
// its text names the holder and what to do.
var ErrInUse = errors.New("directory in use")
