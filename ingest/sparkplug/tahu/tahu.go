// Package tahu is the Sparkplug B payload of the Eclipse Tahu schema as Go
// types. sparkplug_b.proto is the schema as Eclipse Tahu publishes it, under the
// Eclipse Public License 2.0; sparkplug_b.pb.go is made of it. The package
// knows nothing of topics, sessions or fleetwatt's measurements.
package tahu

// The Go types are made with protoc 35.1 and protoc-gen-go 1.36.12:
//
//	pip install grpcio-tools
//	go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
//
//go:generate python3 -m grpc_tools.protoc -I. --go_out=. --go_opt=paths=source_relative,Msparkplug_b.proto=github.com/fleetwatt/fleetwatt/ingest/sparkplug/tahu sparkplug_b.proto
