package secret

import "runtime"

// hugePage is the size in bytes of a huge page, 2 MiB on the processors we build for.
const hugePage = 2 << 20

// mostReserved bounds what reserve takes of the address space: where hashes cost so much that
// more is needed, only a part of them is faster.
const mostReserved = 512 << 20

// aside is how much of the heap hashes wander over, of what those of all permits take at
// once: as far as it grows before the collector runs, twice beyond what is in use (GOGC=200).
const aside = 5

// reserve has the part of the heap that hashes will be computed in backed by huge pages, where the
// system has them for whoever asks. An argon2id hash jumps through its memory at random: with pages of 4 KiB it
// waits for the table that says where each of them is, an eighth of its time beside other requests (ADR 61). What is reserved
// is address space, which costs memory only once hashes use it. The library allocates its memory itself, so
// a part of the heap as large as that is marked and given back, for its allocations to come.
func reserve(hashes int, cost Argon2) {
	if !hasHugePages {
		return
	}
	size := min(aside*hashes*int(cost.Memory), mostReserved>>10) << 10 / hugePage * hugePage
	if size == 0 {
		return
	}
	part := make([]byte, size) // fresh from the system: nothing is written to it
	_ = adviseHuge(part)       // a system that has none goes on with small ones
	runtime.KeepAlive(part)
	runtime.GC() // or the collector would let the heap grow by as much as it thinks is in use
}
