package logctx_test

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/versioner-io/versioner/internal/logctx"
)

func TestHandlerAddsKnownFields(t *testing.T) {
	t.Parallel()
	var lines bytes.Buffer
	logger := slog.New(logctx.NewHandler(slog.NewJSONHandler(&lines, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, attr slog.Attr) slog.Attr {
			if attr.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return attr
		},
	}))).With("with", "attrs")
	request := &logctx.Request{ID: "r1"}
	ctx := logctx.With(t.Context(), request)
	logger.InfoContext(ctx, "before")
	request.Operation, request.Account, request.APIKey, request.User = "listProducts", "acme", "k1", "u1"
	logger.InfoContext(ctx, "after")
	logger.InfoContext(t.Context(), "outside")
	require.Equal(t, `{"level":"INFO","msg":"before","with":"attrs","request_id":"r1"}
{"level":"INFO","msg":"after","with":"attrs","request_id":"r1","operation":"listProducts","account":"acme","api_key_id":"k1","user_id":"u1"}
{"level":"INFO","msg":"outside","with":"attrs"}
`, lines.String())
}
