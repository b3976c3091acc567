// Package versioner is the Go client of Versioner, the deployment tracking API. It is generated from
// openapi.yaml, with a thin hand-written layer for the features that the generator lacks.
//
// [New] returns a client with a method for each operation. An answer has a member for each status that it can have, which is
// nil unless the answer has that status; an answer that is no success is returned as an error, an *[APIError].
//
//	client, err := versioner.New("https://versioner.example.com",
//		versioner.WithCredential(os.Getenv("VERSIONER_API_KEY")), versioner.WithRetries(versioner.Retries{}))
//
// The hand-written parts:
//
//   - Credentials: [WithCredential] takes an API key (for events) or a session token (for everything else),
//     [WithCredentialFunc] a function that returns one.
//   - Lists: [All] fetches page after page.
//   - Retries: [WithRetries] repeats requests where that is safe, and honors Retry-After. Without it nothing is
//     sent twice, and only its context ends a call.
//   - Members that may be absent are pointers, or nullable where null has a meaning of its own: new and
//     nullable.NewNullableWithValue make them.
package versioner
