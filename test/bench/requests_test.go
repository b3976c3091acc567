package main

import (
	"io"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRequests(t *testing.T) {
	t.Parallel()
	document, err := readDocument("../../openapi.yaml")
	require.NoError(t, err)
	requests, err := document.requests()
	require.NoError(t, err)
	names := make([]string, len(requests))
	for i, r := range requests {
		names[i] = r.name()
	}
	require.Subset(t, names, []string{
		"/deployments/", "/deployments/?status=pending", "/deployments/?environment=archive&status=failed", "/deployments/?version=:version", "/versions/?q=none-such",
		"/deployments/{id}", "/deployments/{id}/events", "/environment-state/?type=production", "/releases/{id}/deployments", "/audit-log/?action=product.deleted",
		"/notification-history/?status=failed", "/builds/?product=checkout-service-03&status=aborted",
	})
	sorted := slices.Sorted(slices.Values(names))
	require.Len(t, slices.Compact(sorted), len(names), "each once")
	require.False(t, requests[slices.Index(names, "/deployment-calendar/?from=:middle")].isList, "it has no pages")
	one := requests[slices.Index(names, "/deployments/?version=:version")]
	target := target{grown: &grown{server: &server{address: "127.0.0.1:1"}}, sample: sample{"version": "1 2", "deployment": "an-id"}}
	require.Equal(t, "http://127.0.0.1:1/deployments/?cursor=next&limit=7&version=1+2", target.address(one, 7, "next"))
	require.Equal(t, "http://127.0.0.1:1/deployments/an-id", target.address(requests[slices.Index(names, "/deployments/{id}")], 7, ""))
}

func TestGrowthOptions(t *testing.T) {
	t.Parallel()
	o, err := parseGrowthOptions([]string{"-sizes", "1000000,10000", "-variant", "x=DROP INDEX a", "-set", "shared_buffers=1GB"}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, []int{10_000, 1_000_000}, o.Sizes)
	require.Equal(t, []variant{{"x", "DROP INDEX a"}}, o.Variants)
	require.Equal(t, map[string]string{"shared_buffers": "1GB"}, o.Settings)
	for _, args := range [][]string{{"-sizes", "10"}, {"-sizes", ""}, {"-variant", "x"}, {"-mix", "both"}, {"-runs", "-1"}, {"more"}} {
		_, err := parseGrowthOptions(args, io.Discard)
		require.Error(t, err, args)
	}
}

func TestGrowthReport(t *testing.T) {
	t.Parallel()
	small, large := &grown{name: "small", size: 10_000}, &grown{name: "large", size: 1_000_000}
	requests := []request{{path: "/slow/", isList: true}, {path: "/fast/", isList: true}}
	var reads []*read
	for i, r := range requests {
		for d, grows := range map[*grown][]float64{small: {1, 1}, large: {2, 1.2}} {
			for _, account := range []string{"large", "small"} {
				reads = append(reads, &read{request: r, target: &target{grown: d, account: account}, items: 50, first: []float64{9, grows[i], 0.1}, later: []float64{grows[i] * 1.4}})
			}
		}
	}
	var report growthReport
	report.addReads(requests, reads, []*grown{small, large})
	require.ElementsMatch(t, []string{
		"/slow/, large account, growth: 2.00", "/slow/, small account, growth: 2.00", "/slow/, later to first page: 1.40", "/fast/, later to first page: 1.40",
	}, report.Exceeded)
	require.Error(t, report.failure())
	require.NoError(t, (&growthReport{}).failure())
}
