package audit

// Encode is encode, for the tests.
var Encode = encode //nolint:gochecknoglobals // of a test
