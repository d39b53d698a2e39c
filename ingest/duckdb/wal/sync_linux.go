package wal

import (
	"errors"
	"os"
	"syscall"
)

// sync puts what was written to f on disk. Times of access and change need not
// be there, which spares a write of the file system's own journal.
func sync(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if !errors.Is(err, syscall.EINTR) {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
