package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// CPU is the time that the process has spent in user and system mode (proc(5):
// fields 14 and 15 of /proc/PID/stat, in ticks of 1/100 s).
func (p *Process) CPU() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, p.Failure("has ended: " + err.Error())
	}
	// The name of the command, in brackets, may hold blanks.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 13 {
		return 0, errors.New("/proc/PID/stat is not as expected")
	}
	user, err1 := strconv.ParseInt(string(fields[11]), 10, 64)
	system, err2 := strconv.ParseInt(string(fields[12]), 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err1, err2)
}

// Resident is the memory of the process in bytes, now.
func (p *Process) Resident() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		return 0, p.Failure("has ended: " + err.Error())
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0, errors.New("/proc/PID/statm is not as expected")
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// Self is what this process has used, in user and kernel mode, on all cores.
func Self() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Peak takes samples until the function that it returns is called, which returns
// the highest.
func Peak(sample func() (int64, error)) func() int64 {
	stop := make(chan struct{})
	var highest int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			n, _ := sample() // of one that has ended: the measurement fails elsewhere
			highest = max(highest, n)
			select {
			case <-time.After(250 * time.Millisecond):
			case <-stop:
				return
			}
		}
	})
	return func() int64 {
		close(stop)
		wg.Wait()
		return highest
	}
}
