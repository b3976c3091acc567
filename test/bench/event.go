package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	products        = 20
	pairs           = products * environments
	environments    = 4
	eventsOfVersion = 20                         // deployments of a product with the same version
	timeLayout      = "2006-01-02T15:04:05.000Z" // as JavaScript's toISOString writes it
)

func environmentName(i int) string {
	return [environments]string{"dev", "qa", "staging", "production"}[i]
}

// tenant is an account with its API key and the number of deployments of each product.
type tenant struct {
	slug        string
	token       string // of an admin
	key         string
	head        []byte // the request up to the value of Content-Length
	deployments [products]atomic.Int64
}

// newTenant staggers the products, so that their versions change at different times.
func newTenant(slug, token string) *tenant {
	t := &tenant{slug: slug, token: token}
	for product := range t.deployments {
		t.deployments[product].Store(int64(product % eventsOfVersion))
	}
	return t
}

// useKey sets the API key and builds the head of the requests.
func (t *tenant) useKey(address, key string) {
	t.key = key
	t.head = fmt.Appendf(nil, "POST /deployment-events/ HTTP/1.1\r\nHost: %s\r\nUser-Agent: versioner-bench\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: ", address, key)
}

// deployment is one run of a workflow that deploys the current version of a product.
type deployment struct {
	tenant               *tenant
	product, environment int
	version              int64
	runID                int64 // unique: the invoke_id
}

// deploy returns a new deployment of the current version of a product.
func (t *tenant) deploy(product, environment int, runID int64) deployment {
	return deployment{
		tenant: t, product: product, environment: environment, runID: runID,
		version: t.deployments[product].Add(1) / eventsOfVersion,
	}
}

// appendEvent appends the JSON that a GitHub Action sends, about 900 bytes. It sends completed_at with every status.
func (d deployment) appendEvent(body []byte, status string, now time.Time) []byte {
	name := fmt.Sprintf("checkout-service-%02d", d.product)
	repository := "acme-industries/" + name
	run := strconv.FormatInt(d.runID, 10)
	return fmt.Appendf(body, `{"product_name":%[1]q,"version":"1.%[2]d.0","environment_name":%[3]q,"status":%[4]q,"source_system":"github",`+
		`"build_number":"%[5]d","scm_sha":%[6]q,"scm_branch":"main","scm_repository":%[7]q,`+
		`"deploy_url":"https://github.com/%[7]s/actions/runs/%[8]s","invoke_id":%[8]q,"deployed_by":"ada-lovelace",`+
		`"deployed_by_email":"ada.lovelace@acme.example","deployed_by_name":"Ada Lovelace","completed_at":%[9]q,`+
		`"extra_metadata":%[10]s}`,
		name, d.version, environmentName(d.environment), status, d.runID%100_000, d.commit(), repository, run,
		now.UTC().Format(timeLayout), d.metadata(repository, run))
}

func (d deployment) metadata(repository, run string) string {
	return fmt.Sprintf(`{"vi_gh_workflow":"Deploy to %[1]s","vi_gh_job":"deploy","vi_gh_run_id":%[2]q,"vi_gh_run_number":"%[3]d",`+
		`"vi_gh_run_attempt":"1","vi_gh_event_name":"push","vi_gh_ref":"refs/heads/main","vi_gh_repository":%[4]q,`+
		`"vi_gh_actor":"ada-lovelace","vi_gh_runner_os":"Linux"}`, environmentName(d.environment), run, d.runID%100_000, repository)
}

// commit is the same for all deployments of a version.
func (d deployment) commit() string {
	sum := sha256.Sum256([]byte{byte(d.product), byte(d.version), byte(d.version >> 8), byte(d.version >> 16)}) //nolint:gosec // low bytes are enough
	return hex.EncodeToString(sum[:20])
}
