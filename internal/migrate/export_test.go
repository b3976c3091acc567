package migrate

// RiverMigration is the number of River's tables.
const RiverMigration = riverMigration

// VerifyNumbers is verifyNumbers.
var VerifyNumbers = verifyNumbers //nolint:gochecknoglobals // of a test
