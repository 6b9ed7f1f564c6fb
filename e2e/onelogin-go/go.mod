module github.com/onetimelogin/otl/e2e/onelogin-go

go 1.26.0

require github.com/onelogin/onelogin-go-sdk/v4 v4.7.0
