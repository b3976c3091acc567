package backup

// LibpqDSN is libpqDSN.
var LibpqDSN = libpqDSN //nolint:gochecknoglobals // of a test
