package notify

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackutilsx"
)

// Slack's published limits, in characters: https://docs.slack.dev/reference/block-kit/blocks
const (
	slackHeader  = 150
	slackSection = 3000
	slackField   = 2000
	slackURL     = 3000
)

// slack is the message for an incoming webhook.
func (n notice) slack(eventType string) ([]byte, error) {
	sentence := n.sentence(eventType)
	blocks := []slack.Block{slack.NewHeaderBlock(slack.NewTextBlockObject(slack.PlainTextType, cut(slackMark(eventType)+sentence, slackHeader), false, false))}
	var fields []*slack.TextBlockObject
	for _, one := range n.facts() {
		fields = append(fields, slack.NewTextBlockObject(slack.MarkdownType, "*"+one.Name+"*\n"+escape(one.Value, slackField/2), false, true))
	}
	if len(fields) > 0 {
		blocks = append(blocks, slack.NewSectionBlock(nil, fields, nil))
	}
	if n.Error != "" {
		blocks = append(blocks, slack.NewSectionBlock(
			slack.NewTextBlockObject(slack.MarkdownType, "```"+escape(n.Error, slackSection-len("``````"))+"```", false, true), nil, nil))
	}
	if link := n.link(); link != "" && len(link) <= slackURL {
		button := slack.NewButtonBlockElement("", "", slack.NewTextBlockObject(slack.PlainTextType, "Open the run", false, false))
		button.URL = link
		blocks = append(blocks, slack.NewActionBlock("", button))
	}
	message, err := json.Marshal(slack.WebhookMessage{Text: escape(sentence, slackSection), Blocks: &slack.Blocks{BlockSet: blocks}})
	if err != nil {
		return nil, fmt.Errorf("write a message for Slack: %w", err)
	}
	return message, nil
}

func slackMark(eventType string) string {
	switch {
	case strings.HasSuffix(eventType, ".completed"):
		return "✅ "
	case strings.HasSuffix(eventType, "failed"):
		return "❌ "
	case strings.HasSuffix(eventType, ".aborted"):
		return "⏹️ "
	case strings.HasSuffix(eventType, ".started"):
		return "🚀 "
	}
	return ""
}

// escape makes a text harmless for mrkdwn, wherever it stands, and no longer than the limit once escaped: what is cut is the
// text, never an escape in its middle.
func escape(text string, limit int) string {
	text = strings.ReplaceAll(text, "```", "'''")
	for room := limit; ; room = room * 3 / 4 {
		if escaped := slackutilsx.EscapeMessage(cut(text, room)); len([]rune(escaped)) <= limit {
			return escaped
		}
	}
}
