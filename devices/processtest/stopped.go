package processtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// stopped reports whether every thread of the process has stopped. Systems
// without /proc are asked for the state of the process as a whole.
func stopped(pid int) bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(threads) == 0 {
		out, err := exec.Command("ps", "-o", "state=", "-p", strconv.Itoa(pid)).Output()
		return err == nil && strings.HasPrefix(strings.TrimSpace(string(out)), "T")
	}
	for _, path := range threads {
		stat, err := os.ReadFile(path)
		if err != nil {
			return false // the thread just ended: look again
		}
		// "pid (name) state …", and the name may hold parentheses.
		text := string(stat)
		if rest := text[strings.LastIndexByte(text, ')')+1:]; !strings.HasPrefix(rest, " T") {
			return false
		}
	}
	return true
}
