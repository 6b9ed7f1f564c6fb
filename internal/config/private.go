package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ErrSecretFile means that a file with a secret cannot be read, or can be read
// by everybody.
var ErrSecretFile = errors.New("secret file refused")

// ReadSecretFile reads a file that must not be readable by everybody on the
// machine (SR-05). Its errors are ErrSecretFile.
func ReadSecretFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, refused(path, err)
	}
	defer f.Close()
	info, err := f.Stat() // of the file that is read, not of one that took its name meanwhile
	if err != nil {
		return nil, refused(path, err)
	}
	if err := private(path, info); err != nil {
		return nil, err
	}
	raw, err := readAtMost(f)
	if err != nil {
		return nil, refused(path, err)
	}
	return raw, nil
}

// CheckPrivate refuses a file that others than its owner and group can reach.
// Its errors are ErrSecretFile.
func CheckPrivate(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return refused(path, err)
	}
	return private(path, info)
}

func private(path string, info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return fmt.Errorf("%w: %s is a directory", ErrSecretFile, path)
	case info.Mode().Perm()&0o007 != 0:
		return fmt.Errorf("%w: %s can be read or changed by everybody on this machine; run: chmod 600 %s", ErrSecretFile, path, path)
	}
	return nil
}

// refused is ErrSecretFile for a file that the system does not let us read.
func refused(path string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	if path == "" {
		path = "no file is named"
	}
	return fmt.Errorf("%w: %s: %w", ErrSecretFile, path, err)
}
