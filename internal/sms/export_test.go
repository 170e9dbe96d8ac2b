package sms

import (
	"net/http"
	"time"
)

// SignV4 signs a request as SNS is asked.
func SignV4(id, secret, region, service string, r *http.Request, body []byte, now time.Time) {
	signer{id: id, secret: secret, region: region, service: service}.dress(r, body, now)
}
