package backup

import (
	"errors"

	"github.com/versioner-io/versioner/internal/apikeys"
)

// ErrPepperMismatch rejects secrets that are not those of the database.
var ErrPepperMismatch = errors.New("VERSIONER_KEY_PEPPER, or the file key-pepper of the data directory, is not that of the database: its API keys would not be valid")

// CheckPepper requires the pepper of the backup among those that are known. A database that no server has used has none.
func (m Manifest) CheckPepper(known apikeys.Peppers) error {
	if len(m.PepperVerifier) > 0 && !known.Match(m.PepperVerifier) {
		return ErrPepperMismatch
	}
	return nil
}
