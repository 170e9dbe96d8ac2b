package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/limenauth/limen/internal/web"
)

// BenchmarkHallway is what the hallway costs around a handler that does nothing, beside
// the bare mux.
func BenchmarkHallway(b *testing.B) {
	h := openHall(b, nil, guardTable(), web.Table{
		{Pattern: "POST /v1/sign-in", Guard: web.Anyone, Limit: web.Limited(rate), Handle: web.JSON(
			func(*web.Call, passwordIn) (web.NoContent, error) { return web.NoContent{}, nil }), Doc: doc},
	})
	bare := http.NewServeMux()
	bare.HandleFunc("GET /v1/me", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("{}\n")) })
	for name, handler := range map[string]http.Handler{"bare": bare, "hallway": h} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest("GET", "/v1/me", nil)
			r.Header.Set("Authorization", "Bearer good")
			b.ReportAllocs()
			for b.Loop() {
				handler.ServeHTTP(httptest.NewRecorder(), r)
				h.log.Reset()
			}
		})
	}
}
