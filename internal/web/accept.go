package web

import (
	"iter"
	"strconv"
	"strings"
)

// acceptsGzip reads the Accept-Encoding headers of a request: gzip named, or covered by *, with a weight above zero.
// What is named explicitly wins over *.
func acceptsGzip(headers []string) bool {
	accepted := false

	for coding, weight := range weighted(headers) {
		switch coding {
		case "gzip", "x-gzip":
			return weight > 0
		case "*":
			accepted = weight > 0
		}
	}

	return accepted
}

// prefersHTML reads the Accept headers of a request. Browsers name HTML; what takes anything, or says nothing, is a
// program.
func prefersHTML(headers []string) bool {
	var html, json float64

	for mediaType, weight := range weighted(headers) {
		switch mediaType {
		case "text/html", "application/xhtml+xml":
			html = max(html, weight)
		case "application/json":
			json = max(json, weight)
		}
	}

	return html > 0 && html >= json
}

// weighted yields what a header lists, in lower case, and how much each is wanted (RFC 9110 §12.4.2): 1 unless a
// readable q parameter says otherwise.
func weighted(headers []string) iter.Seq2[string, float64] {
	return func(yield func(string, float64) bool) {
		for item := range strings.SplitSeq(strings.Join(headers, ","), ",") {
			name, parameters, _ := strings.Cut(item, ";")
			if !yield(strings.ToLower(strings.TrimSpace(name)), weightIn(parameters)) {
				return
			}
		}
	}
}

func weightIn(parameters string) float64 {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if !strings.EqualFold(name, "q") {
			continue
		}

		if weight, err := strconv.ParseFloat(value, 64); err == nil {
			return weight
		}
	}

	return 1
}
