package secret

import "syscall"

const hasHugePages = true

// adviseHuge asks for huge pages behind memory that begins at a page (madvise(2), MADV_HUGEPAGE).
func adviseHuge(memory []byte) error { return syscall.Madvise(memory, syscall.MADV_HUGEPAGE) }
