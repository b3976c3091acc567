// Package validation validates requests against the OpenAPI specification before a handler runs. [Params] validates path,
// query and header parameters, [Body] reads, decodes and validates the JSON body. Both report all problems of a request in
// one apperr.Invalid error, up to apperr.MaxFields. Their cost is bounded by the size limit of a body: the number of
// problems, the answer and the log line do not grow with the request.
package validation
