# The image without ko, for `docker build` and compose.yaml: the program alone. The dashboard is committed, so that building needs no Node.
FROM --platform=$BUILDPLATFORM golang:1.26.10 AS build
ARG TARGETOS TARGETARCH VERSION=0.0.0 COMMIT=unknown DATE=unknown
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false -pgo=cmd/versionerd/server.pgo \
    -ldflags "-s -w -X github.com/versioner-io/versioner/internal/embeddedpg.image=docker \
    -X github.com/versioner-io/versioner/internal/buildinfo.version=$VERSION \
    -X github.com/versioner-io/versioner/internal/buildinfo.commit=$COMMIT \
    -X github.com/versioner-io/versioner/internal/buildinfo.date=$DATE" -o /out/ko-app/versionerd ./cmd/versionerd

FROM scratch
COPY --from=build /out/ /
USER 65532:65532
ENTRYPOINT ["/ko-app/versionerd"]
