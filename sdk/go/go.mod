module github.com/limenauth/limen/sdk/go

go 1.26.0
