package notify

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/apperr"
	"github.com/versioner-io/versioner/internal/postgres"
)

// confirmationEmailArgs is the job of a confirmation e-mail. The address is in the channel's configuration: a job whose address
// is not there any more sends nothing.
type confirmationEmailArgs struct {
	AccountID   uuid.UUID `json:"account_id"`
	ChannelID   uuid.UUID `json:"channel_id"`
	AddressHash string    `json:"address_hash"` // hexadecimal
}

// Kind is the name in the queue.
func (confirmationEmailArgs) Kind() string { return "send_confirmation_email" }

type confirmationEmailWorker struct {
	emailRetries[confirmationEmailArgs]

	worker *Worker
}

// Work sends a confirmation e-mail, unless the address has received addressEmailsPerDay of them on this day.
func (w *confirmationEmailWorker) Work(ctx context.Context, job *river.Job[confirmationEmailArgs]) error {
	address, err := w.address(ctx, job.Args)
	if err != nil {
		return err
	}
	if address == "" || w.worker.sender.Mail == nil {
		return river.JobCancel(errors.New("the address was removed or confirmed, or e-mail is not configured")) //nolint:wrapcheck // an instruction to the queue
	}
	hash := addressHash(address)
	if job.Attempt == 1 {
		used, err := w.worker.db.AddConfirmationEmail(ctx, dbgen.AddConfirmationEmailParams{AddressHash: hash[:], Day: dayOf(time.Now())})
		if err != nil {
			return postgres.Classify(err)
		}
		if used > addressEmailsPerDay {
			w.worker.logger.WarnContext(ctx, "confirmation e-mail not sent: limit of the address reached", "account_id", job.Args.AccountID, "channel_id", job.Args.ChannelID)
			return river.JobCancel(errors.New("limit of the address reached")) //nolint:wrapcheck // an instruction to the queue
		}
	}
	account, err := w.worker.db.GetAccount(ctx, job.Args.AccountID)
	if err != nil {
		return postgres.Classify(err)
	}
	token := confirmation{accountID: job.Args.AccountID, address: hash, expiresAt: time.Now().Add(confirmationLifetime)}.token(w.worker.keys)
	message := confirmationEmail(account.Slug, w.worker.publicURL+ConfirmationPath+"?token="+url.QueryEscape(token))
	return w.worker.sendEmail(ctx, job.Args.ChannelID, job.ID, []string{address}, message)
}

// address returns the job's address if the channel still has it and it is not confirmed, otherwise "".
func (w *confirmationEmailWorker) address(ctx context.Context, args confirmationEmailArgs) (string, error) {
	channel, err := w.worker.db.GetNotificationChannel(ctx, dbgen.GetNotificationChannelParams{AccountID: args.AccountID, ID: args.ChannelID})
	err = postgres.Classify(err)
	if apperr.Is(err, apperr.NotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	config, err := decryptConfig(w.worker.keys, args.AccountID, args.ChannelID, channel.EncryptedConfig)
	if err != nil {
		return "", err
	}
	recipients, err := recipientsOf(ctx, w.worker.db, args.AccountID, config)
	if err != nil {
		return "", err
	}
	for _, recipient := range recipients[0] {
		if hash := addressHash(recipient.Address); hex.EncodeToString(hash[:]) == args.AddressHash && recipient.ConfirmedAt == nil {
			return recipient.Address, nil
		}
	}
	return "", nil
}

// confirmationEmail contains no text that the account's users choose freely: it is sent to addresses that did not request it.
func confirmationEmail(account, link string) email {
	return email{
		Subject: fmt.Sprintf("Confirm notifications of the account %s", account),
		Text: fmt.Sprintf("The Versioner account %s wants to send notifications of deployments and builds to this address. "+
			"If you want to receive them, open the link and confirm within a week. Otherwise ignore this message: no notification is sent to you.", account),
		Link: link, LinkLabel: "Confirm",
		Footer: "Versioner sends this because a user entered your address in a notification channel.",
	}
}
