package config

import "fmt"

// OperatorSettings configure what operators observe.
type OperatorSettings struct {
	OperatorAddr  string `default:"127.0.0.1:9464" empty:"off" env:"VERSIONER_OPERATOR_ADDR" group:"Operators" help:"Listen address of metrics (/metrics) and profiles (/debug/pprof), without authentication; empty: none. The default one is optional: when it is in use, the program runs without." placeholder:"HOST:PORT"`
	OperatorPprof bool   `default:"false" env:"VERSIONER_OPERATOR_PPROF" group:"Operators" help:"Serve profiles at an address that is not loopback, too."`
}

// DefaultOperatorAddr is that of the tag of OperatorAddr.
const DefaultOperatorAddr = "127.0.0.1:9464"

func (s OperatorSettings) apply(config *Config) error {
	config.OperatorAddr, config.OperatorPprof = s.OperatorAddr, s.OperatorPprof
	if s.OperatorAddr == "" {
		return nil
	}
	if validateAddr(s.OperatorAddr) != nil {
		return fmt.Errorf("VERSIONER_OPERATOR_ADDR %q: use host:port with a port from 0 to 65535, such as 127.0.0.1:9464, or an empty one for none", s.OperatorAddr)
	}
	return nil
}
