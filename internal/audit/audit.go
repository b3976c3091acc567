// Package audit records who changed what, in the transaction of the change.
package audit

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/versioner-io/versioner/gen/dbgen"
	"github.com/versioner-io/versioner/internal/postgres"
	"github.com/versioner-io/versioner/internal/ptr"
)

// Actor is who makes changes, and from where. The names are those at the time.
type Actor struct {
	Type       string // "user" or "command"
	ID         *uuid.UUID
	Name       string
	Credential string // what identifies the credential without giving it away
	RemoteIP   string
	RequestID  string
	At         time.Time // of the changes; zero: now
}

type actorKey struct{}

// WithActor returns a context whose changes are made by the actor.
func WithActor(ctx context.Context, actor Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, actor)
}

// Command is the actor for changes that a command on the server makes.
func Command(name string) Actor {
	return Actor{Type: "command", Name: name, Credential: "shell"}
}

// Change is one change of one object.
type Change struct {
	AccountID  uuid.UUID
	Action     string // object.verb, such as product.update
	ObjectType string
	ObjectID   uuid.UUID
	ObjectName string // after the change; empty: the object has none
	Values     []Value
}

// actorOf returns the actor of a context. One without an actor is a command's.
func actorOf(ctx context.Context) Actor {
	if actor, ok := ctx.Value(actorKey{}).(Actor); ok {
		return actor
	}
	return Command("versionerd")
}

// ActorName returns the name of who makes the changes of a context.
func ActorName(ctx context.Context) string { return actorOf(ctx).Name }

// Record stores a change.
func Record(ctx context.Context, db *postgres.DB, change Change) error {
	actor := actorOf(ctx)
	at := actor.At
	if at.IsZero() {
		at = time.Now()
	}
	fields := make([]string, len(change.Values))
	for i, value := range change.Values {
		fields[i] = value.Field
	}
	name, _ := shorten(maskText(change.ObjectName), maxValue)
	return postgres.Classify(db.CreateAuditEntry(ctx, dbgen.CreateAuditEntryParams{
		AccountID: change.AccountID, ID: uuid.Must(uuid.NewV7()), Now: at, ActorType: actor.Type, ActorID: actor.ID, ActorName: actor.Name, Credential: actor.Credential,
		Action: change.Action, ObjectType: change.ObjectType, ObjectID: change.ObjectID, ObjectName: ptr.NonZero(name), Fields: fields, ChangedValues: encode(change.Values),
		RemoteIP: ptr.NonZero(actor.RemoteIP), RequestID: ptr.NonZero(actor.RequestID),
	}))
}
