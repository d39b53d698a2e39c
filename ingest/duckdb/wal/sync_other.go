//go:build !linux

package wal

import "os"

// sync puts what was written to f on disk.
func sync(f *os.File) error { return f.Sync() }
