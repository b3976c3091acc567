package httpapi

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/web"
)

type docsHandlers struct {
	swaggerUI, reDoc func() web.Page
}

func (docsHandlers) GetSpecification(context.Context, apigen.GetSpecificationRequestObject) (apigen.GetSpecificationResponseObject, error) {
	return openAPIResponse{}, nil
}

func (h docsHandlers) GetSwaggerUI(context.Context, apigen.GetSwaggerUIRequestObject) (apigen.GetSwaggerUIResponseObject, error) {
	page := h.swaggerUI()
	return apigen.GetSwaggerUI200TextHTMLResponse{
		Body: bytes.NewReader(page.HTML), ContentLength: int64(len(page.HTML)),
		Headers: apigen.GetSwaggerUI200ResponseHeaders{ContentSecurityPolicy: page.ContentSecurityPolicy},
	}, nil
}

func (h docsHandlers) GetReDoc(context.Context, apigen.GetReDocRequestObject) (apigen.GetReDocResponseObject, error) {
	page := h.reDoc()
	return apigen.GetReDoc200TextHTMLResponse{
		Body: bytes.NewReader(page.HTML), ContentLength: int64(len(page.HTML)),
		Headers: apigen.GetReDoc200ResponseHeaders{ContentSecurityPolicy: page.ContentSecurityPolicy},
	}, nil
}

// openAPIResponse is the document in its own order; the generated response type would sort its members.
type openAPIResponse struct{}

func (openAPIResponse) VisitGetSpecificationResponse(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/json")
	if _, err := w.Write(apigen.SpecificationJSON); err != nil {
		return fmt.Errorf("send the document: %w", err)
	}
	return nil
}

// OpenAPIDocument returns the document that this program implements, as JSON in its own order.
func OpenAPIDocument() []byte { return apigen.SpecificationJSON }
