package backup

import (
	"archive/tar"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"filippo.io/age"
)

const (
	format = 1

	manifestName = "manifest.json"
	secretsName  = "secrets.json"
	dumpName     = "database.dump"

	maxJSON      = 8 << 20
	ageMagic     = "age-encryption.org/"
	archiveMode  = 0o600
	dumpTempName = "versioner-dump-*"
)

// Manifest describes a backup: what Restore checks before and after.
type Manifest struct {
	Format         int       `json:"format"`
	CreatedAt      time.Time `json:"created_at"`
	Program        string    `json:"program"` // its version
	SchemaVersion  int64     `json:"schema_version"`
	PostgresMajor  int       `json:"postgres_major"`
	PepperVerifier []byte    `json:"pepper_verifier,omitempty"` // none before the first start of a server
	Tables         []Table   `json:"tables"`
	DumpBytes      int64     `json:"dump_bytes"`
	DumpSHA256     string    `json:"dump_sha256"`
}

// Table is a table with its number of rows.
type Table struct {
	Name string `json:"name"`
	Rows int64  `json:"rows"`
}

// Rows returns the number of rows of all tables.
func (m Manifest) Rows() (rows int64) {
	for _, table := range m.Tables {
		rows += table.Rows
	}
	return rows
}

// Secrets are the secrets of the database, as their settings have them.
type Secrets struct {
	KeyPepper      string `json:"key_pepper"`
	EncryptionKeys string `json:"encryption_keys"`
}

// Archive is an opened backup.
type Archive struct {
	Manifest Manifest
	Secrets  *Secrets // nil in a backup without them

	dump *os.File
}

// Close removes the temporary files of the archive.
func (a *Archive) Close() error { return a.dump.Close() } //nolint:wrapcheck // a file without a name

// newTemporary returns a file that has no name any more, so that nothing of it stays when the program ends in any way.
func newTemporary() (*os.File, error) {
	file, err := os.CreateTemp("", dumpTempName)
	if err != nil {
		return nil, fmt.Errorf("create a temporary file: %w", err)
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("create a temporary file: %w", err), file.Close())
	}
	return file, nil
}

// write writes the archive, encrypted if there are recipients.
func (a *Archive) write(w io.Writer, recipients []age.Recipient) error {
	if len(recipients) == 0 {
		return a.writeTar(w)
	}
	encrypted, err := age.Encrypt(w, recipients...)
	if err != nil {
		return fmt.Errorf("encrypt the backup: %w", err)
	}
	if err := a.writeTar(encrypted); err != nil {
		return err
	}
	if err := encrypted.Close(); err != nil {
		return fmt.Errorf("encrypt the backup: %w", err)
	}
	return nil
}

func (a *Archive) writeTar(w io.Writer) error {
	archive := tar.NewWriter(w)
	header := func(name string, size int64) error {
		return archive.WriteHeader(&tar.Header{Name: name, Size: size, Mode: archiveMode, ModTime: a.Manifest.CreatedAt})
	}
	writeJSON := func(name string, value any) error {
		text, err := json.MarshalIndent(value, "", "  ")
		if err != nil {
			return err //nolint:wrapcheck // wrapped below
		}
		if err := header(name, int64(len(text))); err != nil {
			return err
		}
		_, err = archive.Write(text)
		return err //nolint:wrapcheck // wrapped below
	}
	err := writeJSON(manifestName, a.Manifest)
	if err == nil && a.Secrets != nil {
		err = writeJSON(secretsName, a.Secrets)
	}
	if err == nil {
		err = header(dumpName, a.Manifest.DumpBytes)
	}
	if err == nil {
		_, err = io.Copy(archive, io.NewSectionReader(a.dump, 0, a.Manifest.DumpBytes))
	}
	if err == nil {
		err = archive.Close()
	}
	if err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	return nil
}

// errDamaged is wrapped by what Open returns for a file that is not a whole backup.
var errDamaged = errors.New("the file is not a backup of this program, or it is truncated or damaged")

// Open reads a whole archive and verifies its checksum.
func Open(r io.Reader, identities []age.Identity) (_ *Archive, err error) {
	buffered := bufio.NewReader(r)
	r = buffered
	if start, _ := buffered.Peek(len(ageMagic)); string(start) == ageMagic {
		if r, err = decrypt(buffered, identities); err != nil {
			return nil, err
		}
	}
	dump, err := newTemporary()
	if err != nil {
		return nil, err
	}
	archive := &Archive{dump: dump}
	if err := archive.readAll(r); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", errDamaged, err), dump.Close())
	}
	return archive, nil
}

func decrypt(r io.Reader, identities []age.Identity) (io.Reader, error) {
	if len(identities) == 0 {
		return nil, errors.New("the backup is encrypted: name the file of an identity of one of its recipients with --identity")
	}
	decrypted, err := age.Decrypt(r, identities...)
	if _, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
		return nil, errors.New("the backup is encrypted for other recipients: none of the identities of --identity decrypts it")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return decrypted, nil
}

// readAll reads up to the end, which an encrypted file authenticates.
func (a *Archive) readAll(r io.Reader) error {
	archive := tar.NewReader(r)
	if err := a.readTar(archive); err != nil {
		return err
	}
	switch _, err := archive.Next(); {
	case err == nil:
		return errors.New("members follow the dump")
	case !errors.Is(err, io.EOF):
		return err //nolint:wrapcheck // wrapped by Open
	}
	_, err := io.Copy(io.Discard, r)
	return err //nolint:wrapcheck // wrapped by Open
}

func (a *Archive) readTar(archive *tar.Reader) error {
	for {
		header, err := archive.Next()
		if err != nil {
			return missing(err)
		}
		switch header.Name {
		case manifestName:
			err = json.NewDecoder(io.LimitReader(archive, maxJSON)).Decode(&a.Manifest)
		case secretsName:
			a.Secrets = &Secrets{}
			err = json.NewDecoder(io.LimitReader(archive, maxJSON)).Decode(a.Secrets)
		case dumpName:
			return a.readDump(archive)
		default:
			err = fmt.Errorf("unknown member %q", header.Name)
		}
		if err == nil && a.Manifest.Format != format {
			err = fmt.Errorf("the format of the backup is %d, this program reads %d", a.Manifest.Format, format)
		}
		if err != nil {
			return err
		}
	}
}

// missing turns the end of the archive into an error.
func missing(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (a *Archive) readDump(r io.Reader) error {
	hash := sha256.New()
	size, err := io.Copy(io.MultiWriter(a.dump, hash), r)
	if err != nil {
		return fmt.Errorf("read the dump: %w", err)
	}
	if size != a.Manifest.DumpBytes || hex.EncodeToString(hash.Sum(nil)) != a.Manifest.DumpSHA256 {
		return errors.New("the checksum of the dump is wrong")
	}
	return nil
}

// sum stores the size and the checksum of the dump in the manifest.
func (a *Archive) sum() error {
	hash := sha256.New()
	info, err := a.dump.Stat()
	if err == nil {
		a.Manifest.DumpBytes = info.Size()
		_, err = io.Copy(hash, io.NewSectionReader(a.dump, 0, info.Size()))
	}
	if err != nil {
		return fmt.Errorf("read the dump: %w", err)
	}
	a.Manifest.DumpSHA256 = hex.EncodeToString(hash.Sum(nil))
	return nil
}
