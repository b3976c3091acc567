package httpapi

import (
	"context"

	"github.com/versioner-io/versioner/gen/apigen"
	"github.com/versioner-io/versioner/internal/apperr"
)

type healthHandlers struct {
	ready   func(ctx context.Context) error
	version string
}

func (h healthHandlers) GetHealth(context.Context, apigen.GetHealthRequestObject) (apigen.GetHealthResponseObject, error) {
	return apigen.GetHealth200JSONResponse{Status: apigen.HealthStatusOk, Version: h.version}, nil
}

func (h healthHandlers) GetReadiness(ctx context.Context, _ apigen.GetReadinessRequestObject) (apigen.GetReadinessResponseObject, error) {
	if err := h.ready(ctx); err != nil {
		return nil, apperr.Wrap(apperr.Unavailable, "not ready", err)
	}
	return apigen.GetReadiness200JSONResponse{Status: apigen.HealthStatusOk, Version: h.version}, nil
}
