package notify

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/versioner-io/versioner/internal/ptr"
)

// webhookBody is flat, and every member is always present, but for those of preflight events.
type webhookBody struct {
	ID              uuid.UUID `json:"id"`
	DeployedAt      time.Time `json:"deployed_at"`
	EventType       string    `json:"event_type"`
	Environment     *string   `json:"environment"`
	IsSuccessful    *bool     `json:"is_successful"`
	Deployer        *string   `json:"deployer"`
	ProductName     *string   `json:"product_name"`
	Version         *string   `json:"version"`
	RepoName        *string   `json:"repo_name"`
	CommitSHA       *string   `json:"commit_sha"`
	PreflightStatus *string   `json:"preflight_status"`
	SourceURL       *string   `json:"source_url"`

	PreflightCode    *string `json:"preflight_code,omitempty"` // of the events of that name
	PreflightMessage *string `json:"preflight_message,omitempty"`
}

// webhook returns the compact JSON that is sent and signed. `&`, `<` and `>` are not escaped: receivers that serialise the body
// again to verify the signature do not escape them either.
func (p payload) webhook(eventType string) ([]byte, error) {
	var content any = p.Body
	if p.Body == nil {
		content = p.webhookBody(eventType)
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(content); err != nil {
		return nil, fmt.Errorf("encode a webhook: %w", err)
	}
	return bytes.TrimSuffix(body.Bytes(), []byte("\n")), nil
}

func (p payload) webhookBody(eventType string) webhookBody {
	return webhookBody{
		ID: p.ID, DeployedAt: p.OccurredAt.UTC(), EventType: eventType, Environment: ptr.NonZero(p.Environment), IsSuccessful: isSuccessful(eventType),
		Deployer: ptr.NonZero(p.Deployer), ProductName: ptr.NonZero(p.Product), Version: ptr.NonZero(p.Version), RepoName: ptr.NonZero(p.Repository),
		CommitSHA: ptr.NonZero(p.CommitSHA), PreflightStatus: ptr.NonZero(p.PreflightStatus), SourceURL: ptr.NonZero(p.SourceURL),
		PreflightCode: ptr.NonZero(p.PreflightCode), PreflightMessage: ptr.NonZero(p.PreflightMessage),
	}
}

// Webhook headers beside those of Standard Webhooks.
const (
	headerEvent             = "X-Versioner-Event"
	headerSignature         = "X-Versioner-Signature"
	headerPreviousSignature = "X-Versioner-Signature-Previous"
)

// sign sets both kinds of signature. Secrets are the current one and, for a day, the previous one. The header of Standard
// Webhooks holds several signatures; receivers compare the whole X-Versioner-Signature, so the previous secret has a header of
// its own.
func sign(header http.Header, deliveryID uuid.UUID, at time.Time, body []byte, secrets []string) error {
	header.Set(standardwebhooks.HeaderWebhookID, deliveryID.String())
	header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	var signatures []string
	for i, secret := range secrets {
		signer, err := standardwebhooks.NewWebhookRaw(signingKey(secret))
		if err != nil {
			return fmt.Errorf("sign a webhook: %w", err)
		}
		signature, err := signer.Sign(deliveryID.String(), at, body)
		if err != nil {
			return fmt.Errorf("sign a webhook: %w", err)
		}
		signatures = append(signatures, signature)
		mac := hmac.New(sha256.New, []byte(secret))
		_, _ = mac.Write(body)
		name := headerSignature
		if i > 0 {
			name = headerPreviousSignature
		}
		header.Set(name, "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	if len(signatures) > 0 {
		header.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	}
	return nil
}

const secretPrefix = "whsec_"

// signingKey returns the key of the Standard Webhooks signature: the base64 after whsec_, otherwise the bytes of the secret.
func signingKey(secret string) []byte {
	if encoded, found := strings.CutPrefix(secret, secretPrefix); found {
		if key, err := base64.StdEncoding.DecodeString(encoded); err == nil {
			return key
		}
	}
	return []byte(secret)
}
