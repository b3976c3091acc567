package httpapi

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/web"
)

type reference struct {
	swaggerUI, reDoc web.Page
}

func (reference) GetSpecification(context.Context, apigen.GetSpecificationRequestObject) (apigen.GetSpecificationResponseObject, error) {
	return specification{}, nil
}

func (h reference) GetSwaggerUI(context.Context, apigen.GetSwaggerUIRequestObject) (apigen.GetSwaggerUIResponseObject, error) {
	page := h.swaggerUI
	return apigen.GetSwaggerUI200TextHTMLResponse{
		Body: bytes.NewReader(page.HTML), ContentLength: int64(len(page.HTML)),
		Headers: apigen.GetSwaggerUI200ResponseHeaders{ContentSecurityPolicy: page.ContentSecurityPolicy},
	}, nil
}

func (h reference) GetReDoc(context.Context, apigen.GetReDocRequestObject) (apigen.GetReDocResponseObject, error) {
	page := h.reDoc
	return apigen.GetReDoc200TextHTMLResponse{
		Body: bytes.NewReader(page.HTML), ContentLength: int64(len(page.HTML)),
		Headers: apigen.GetReDoc200ResponseHeaders{ContentSecurityPolicy: page.ContentSecurityPolicy},
	}, nil
}

// specification is the document in its own order; the generated response type would sort its members.
type specification struct{}

func (specification) VisitGetSpecificationResponse(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/json")
	if _, err := w.Write(apigen.SpecificationJSON); err != nil {
		return fmt.Errorf("send the specification: %w", err)
	}
	return nil
}

// Specification is the document that this program implements, as JSON in its own order.
func Specification() []byte { return apigen.SpecificationJSON }
