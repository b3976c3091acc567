package backup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// RequireEmptyDirectory rejects a data directory that has anything but files of secrets. undo removes what was added since.
func RequireEmptyDirectory(dir string, isSecret func(name string) bool) (undo func() error, err error) {
	before, err := names(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	existed := err == nil
	if i := slices.IndexFunc(before, func(name string) bool { return !isSecret(name) }); i >= 0 {
		return nil, fmt.Errorf("the data directory %s is not empty, it has %s: restore into a new one, with --data-dir or VERSIONER_DATA_DIR", dir, strings.Join(before[i:], ", "))
	}
	return func() error {
		if !existed {
			return os.RemoveAll(dir)
		}
		after, err := names(dir)
		if err != nil {
			return err
		}
		for _, name := range after {
			if !slices.Contains(before, name) {
				err = errors.Join(err, os.RemoveAll(filepath.Join(dir, name)))
			}
		}
		return err
	}, nil
}

func names(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the data directory: %w", err)
	}
	found := make([]string, len(entries))
	for i, entry := range entries {
		found[i] = entry.Name()
	}
	return found, nil
}
