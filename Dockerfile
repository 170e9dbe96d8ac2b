# A static binary and nothing else: no shell, no libc, not root.

FROM golang:1.26 AS build
WORKDIR /src
ENV CGO_ENABLED=0 GOFLAGS=-trimpath GOWORK=off
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN go build -ldflags="-s -w" -o /out/limen ./cmd/limen && mkdir -m 0700 /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/limen /limen
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
WORKDIR /data
VOLUME /data
ENV LIMEN_DATA=/data LIMEN_LOG_FORMAT=json
EXPOSE 4455
ENTRYPOINT ["/limen"]
CMD ["serve"]
