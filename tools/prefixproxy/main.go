// Command prefixproxy is a reverse proxy for tests: it publishes a server on this machine below a path, and prints its address.
//
//	prefixproxy 127.0.0.1:8080 /versioner
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: prefixproxy HOST:PORT /PREFIX")
	}
	if err := serve(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

// serve answers requests below the prefix as the server at the address does, and all others with 404.
func serve(server, prefix string) error {
	proxy := &httputil.ReverseProxy{Rewrite: func(request *httputil.ProxyRequest) {
		request.SetURL(&url.URL{Scheme: "http", Host: server})
		request.SetXForwarded()
	}}
	mux := http.NewServeMux()
	mux.Handle(prefix+"/", http.StripPrefix(prefix, proxy))
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // for the life of the process
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	fmt.Println("http://" + listener.Addr().String() + prefix)
	if err := (&http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}).Serve(listener); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
