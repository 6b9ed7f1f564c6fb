package secret

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestHashesHaveHugePages: as much of the heap as hashes wander over is marked for huge pages, and nothing
// of it costs memory before a hash is computed.
func TestHashesHaveHugePages(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage"); errors.Is(err, fs.ErrNotExist) {
		t.Fatal("this kernel has no transparent huge pages (CONFIG_TRANSPARENT_HUGEPAGE)")
	}
	cost := DefaultArgon2()
	before, _ := marked(t)
	NewHasher(cost, 2)
	after, resident := marked(t)
	if want := aside * 2 * int(cost.Memory); after-before < want-hugePage>>10 {
		t.Errorf("%d KiB are marked, %d were before: hashes wander over %d", after, before, want)
	}
	if most := int(cost.Memory); resident > most {
		t.Errorf("%d KiB of them are in memory, and no hash was computed", resident)
	}
}

// TestACostBeyondAllBoundsReservesABoundedPart: no cost that can be configured takes all of the address space.
func TestACostBeyondAllBoundsReservesABoundedPart(t *testing.T) {
	before, _ := marked(t)
	reserve(1024, Argon2{Memory: 1 << 18, Time: 10, Threads: 16})
	if after, _ := marked(t); after-before > mostReserved>>10 {
		t.Errorf("%d KiB are marked, %d were before", after, before)
	}
	reserve(1, Argon2{Memory: 64, Time: 1, Threads: 1}) // less than a page
}

// marked adds up in KiB what of this process is marked for huge pages, and how much of that is in memory.
func marked(t *testing.T) (size, resident int) {
	t.Helper()
	raw, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	var long, here int
	for line := range strings.Lines(string(raw)) {
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "Size":
			long = kib(t, value)
		case "Rss":
			here = kib(t, value)
		case "VmFlags":
			if strings.Contains(value, " hg") {
				size, resident = size+long, resident+here
			}
		}
	}
	return size, resident
}

func kib(t *testing.T, value string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
