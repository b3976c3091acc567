// Package versioner is the Go client of Versioner: what runs where, since when, and who put it there. It is generated from
// openapi.yaml, with a thin layer by hand for what the generator cannot do.
//
// [New] returns a client with a method for each operation. An answer has a member for each status that it can have, which is
// nil unless the answer has that status; an answer that is no success is returned as an error, an *[APIError].
//
//	client, err := versioner.New("https://versioner.example.com",
//		versioner.WithCredential(os.Getenv("VERSIONER_API_KEY")), versioner.WithRetries(versioner.Retries{}))
//
// What is by hand:
//
//   - Credentials: [WithCredential] takes an API key (for events) or a session token (for everything else),
//     [WithCredentialFunc] a function that is asked for one.
//   - Lists: [All] asks for page after page.
//   - Retries: [WithRetries] sends again what may be sent again, and waits as long as Retry-After asks. Without it nothing is
//     sent twice, and nothing ends a call but its context.
//   - Members that may be absent are pointers, or nullable where null says something of its own: new and
//     nullable.NewNullableWithValue make them.
package versioner
