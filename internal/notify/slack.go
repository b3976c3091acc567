package notify

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackutilsx"
)

// Slack's published limits, in characters: https://docs.slack.dev/reference/block-kit/blocks
const (
	slackHeader  = 150
	slackSection = 3000
	slackField   = 2000
	slackFields  = 10 // of a section
	slackURL     = 3000
)

// slack returns the message for an incoming webhook.
func (p payload) slack(eventType string) ([]byte, error) {
	summary := p.summary(eventType)
	blocks := []slack.Block{slack.NewHeaderBlock(slack.NewTextBlockObject(slack.PlainTextType, truncate(statusEmoji(eventType)+summary, slackHeader), false, false))}
	var fields []*slack.TextBlockObject
	for _, one := range p.fields() {
		fields = append(fields, slack.NewTextBlockObject(slack.MarkdownType, "*"+one.Name+"*\n"+escape(one.Value, slackField/2), false, true))
	}
	for section := range slices.Chunk(fields, slackFields) {
		blocks = append(blocks, slack.NewSectionBlock(nil, section, nil))
	}
	if p.Error != "" {
		blocks = append(blocks, slack.NewSectionBlock(
			slack.NewTextBlockObject(slack.MarkdownType, "```"+escape(p.Error, slackSection-len("``````"))+"```", false, true), nil, nil))
	}
	if runURL := p.runURL(); runURL != "" && len(runURL) <= slackURL {
		button := slack.NewButtonBlockElement("", "", slack.NewTextBlockObject(slack.PlainTextType, p.urlLabel(), false, false))
		button.URL = runURL
		blocks = append(blocks, slack.NewActionBlock("", button))
	}
	message, err := json.Marshal(slack.WebhookMessage{Text: escape(summary, slackSection), Blocks: &slack.Blocks{BlockSet: blocks}})
	if err != nil {
		return nil, fmt.Errorf("encode a message for Slack: %w", err)
	}
	return message, nil
}

func statusEmoji(eventType string) string {
	switch {
	case strings.HasSuffix(eventType, ".completed"), strings.HasSuffix(eventType, ".approved"):
		return "✅ "
	case strings.HasSuffix(eventType, "failed"), strings.HasSuffix(eventType, ".rejected"):
		return "❌ "
	case strings.HasSuffix(eventType, ".aborted"):
		return "⏹️ "
	case strings.HasSuffix(eventType, ".started"):
		return "🚀 "
	}
	return ""
}

// escape makes text harmless in mrkdwn and returns at most limit characters. It truncates the text, never an escape sequence.
func escape(text string, limit int) string {
	text = strings.ReplaceAll(text, "```", "'''")
	for size := limit; ; size = size * 3 / 4 {
		if escaped := slackutilsx.EscapeMessage(truncate(text, size)); len([]rune(escaped)) <= limit {
			return escaped
		}
	}
}
