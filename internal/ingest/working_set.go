package ingest

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"
)

// workingSet is the state that the events of a batch share: what the load step has read, and then what the events have left.
// Its events are of one kind. It has no access to the database.
type workingSet struct {
	kind     Kind
	names    map[nameKey]*resolvedPair
	pairs    map[pairKey]*pairState
	versions map[versionKey]*versionState
	subjects map[uuid.UUID]*subjectState
	runs     map[runKey][]uuid.UUID // newest first
	earlier  map[earlierKey]earlierEvent

	recorded []recordedEvent
	governed governed
}

// nameKey names a pair as an event does: the last part is the environment of a deployment or the version of a build.
type nameKey struct {
	accountID        uuid.UUID
	product, partner string
}

// pairKey identifies a pair: product and environment, or the version of a build.
type pairKey struct{ accountID, productID, partnerID uuid.UUID }

type versionKey struct {
	accountID, productID uuid.UUID
	version              string
}

type runKey struct {
	pair      pairKey
	versionID uuid.UUID
	invokeID  string
}

type earlierKey struct {
	accountID   uuid.UUID
	fingerprint [32]byte
}

// resolvedPair holds what the names in an event stand for.
type resolvedPair struct {
	key                          pairKey
	productName, environmentName string
	environmentType              EnvironmentType
}

type pairState struct {
	Pair

	isDirty bool
}

type versionState struct {
	Version

	accountID                       uuid.UUID
	productName, version, semVerKey string    // of a new version: as in the event that mentioned it
	createdAt                       time.Time // of a new version; zero: no recorded event needs it
	isNew, isDirty                  bool
}

type subjectState struct {
	Subject

	isDirty        bool
	storedMetadata json.RawMessage // nil: the subject is new
}

// metadataToStore returns the metadata of the subject, or null, which stands for what is stored: large metadata is not written again at each
// event of a run.
func (s *subjectState) metadataToStore() json.RawMessage {
	if s.storedMetadata != nil && bytes.Equal(s.Metadata, s.storedMetadata) {
		return json.RawMessage("null")
	}
	return s.Metadata
}

type earlierEvent struct {
	eventID, subjectID uuid.UUID
	receivedAt         time.Time
	requestHash        []byte
	isNew              bool
}

// recordedEvent is an event for the log.
type recordedEvent struct {
	event      Event
	effect     Effect
	subjectID  uuid.UUID
	receivedAt time.Time
	notice     *PreflightNotice // of a start that rules have blocked, or would have
}

func newWorkingSet(kind Kind) *workingSet {
	return &workingSet{
		kind: kind, names: make(map[nameKey]*resolvedPair), pairs: make(map[pairKey]*pairState), versions: make(map[versionKey]*versionState),
		subjects: make(map[uuid.UUID]*subjectState), runs: make(map[runKey][]uuid.UUID), earlier: make(map[earlierKey]earlierEvent),
		governed: governed{
			slots: make(map[uuid.UUID]map[uuid.UUID]*slotState), freed: make(map[uuid.UUID]pairKey),
			usedGrants: make(map[uuid.UUID]UsedGrant), observing: make(map[uuid.UUID]bool),
		},
	}
}

func nameOf(event Event) nameKey {
	if event.Kind == Build {
		return nameKey{accountID: event.AccountID, product: event.ProductName, partner: event.Version}
	}
	return nameKey{accountID: event.AccountID, product: event.ProductName, partner: event.EnvironmentName}
}

// addSubject adds a loaded subject.
func (w *workingSet) addSubject(subject Subject) {
	if _, ok := w.subjects[subject.ID]; ok {
		return
	}
	w.subjects[subject.ID] = &subjectState{Subject: subject, storedMetadata: subject.Metadata}
	w.indexRun(subject)
}

func (w *workingSet) pairOf(subject Subject) pairKey {
	if w.kind == Build {
		return pairKey{accountID: subject.AccountID, productID: subject.ProductID, partnerID: subject.VersionID}
	}
	return pairKey{accountID: subject.AccountID, productID: subject.ProductID, partnerID: subject.EnvironmentID}
}

// indexRun keeps the subjects of a run newest first: identifiers are in the order of creation. Those of a version without a run are together.
func (w *workingSet) indexRun(subject Subject) {
	key := runKey{pair: w.pairOf(subject), versionID: subject.VersionID, invokeID: subject.InvokeID}
	if slices.Contains(w.runs[key], subject.ID) {
		return
	}
	w.runs[key] = append(w.runs[key], subject.ID)
	slices.SortFunc(w.runs[key], func(one, other uuid.UUID) int { return bytes.Compare(other[:], one[:]) })
}

// versionOf returns the version of an event, which may not exist yet.
func (w *workingSet) versionOf(event Event, pair *resolvedPair) *versionState {
	key := versionKey{accountID: event.AccountID, productID: pair.key.productID, version: event.Version}
	version, ok := w.versions[key]
	if !ok {
		version = &versionState{
			Version: Version{ID: newID()}, accountID: event.AccountID, productName: event.ProductName,
			version: event.Version, semVerKey: event.SemVerKey, isNew: true,
		}
		w.versions[key] = version
	}
	return version
}

// state returns what the decision on an event depends on.
func (w *workingSet) state(event Event, pair *resolvedPair, version *versionState) State {
	shared := w.pairs[pair.key]
	state := State{
		ProductID: pair.key.productID, EnvironmentType: pair.environmentType,
		Pair: shared.Pair, Version: version.Version,
	}
	if earlier := w.earlierOf(event.AccountID, event.Fingerprint); earlier != nil && w.pairOf(earlier.Subject) == pair.key {
		state.Fingerprint = earlier // of the same pair: its product may have been deleted and created again
	}
	if w.kind == Deployment {
		state.EnvironmentID = pair.key.partnerID
	}
	if event.IdempotencyKey != "" {
		state.Key = w.earlierOf(event.AccountID, event.keyFingerprint())
	}
	for _, id := range shared.OpenIDs {
		if subject, ok := w.subjects[id]; ok {
			state.Open = append(state.Open, subject.Subject)
		}
	}
	if event.InvokeID != "" {
		for _, id := range w.runs[runKey{pair: pair.key, versionID: version.ID, invokeID: event.InvokeID}] {
			if one := w.subjects[id].Subject; one.Status != PreflightFailed { // events never belong to attempts
				state.Run = append(state.Run, one)
			}
		}
	}
	return state
}

func (w *workingSet) earlierOf(accountID uuid.UUID, fingerprint [32]byte) *Earlier {
	known, ok := w.earlier[earlierKey{accountID: accountID, fingerprint: fingerprint}]
	if !ok {
		return nil
	}
	subject, ok := w.subjects[known.subjectID]
	if !ok {
		return nil
	}
	return &Earlier{EventID: known.eventID, ReceivedAt: known.receivedAt, RequestHash: known.requestHash, Subject: subject.Subject}
}

// apply decides on an event and keeps what it leaves. The pair of the event is known.
func (w *workingSet) apply(event Event, now time.Time) (Recorded, error) {
	pair := w.names[nameOf(event)]
	version := w.versionOf(event, pair)
	state := w.state(event, pair, version)
	outcome, err := Apply(state, event, now)
	if err != nil {
		return Recorded{}, err
	}
	set, attempt, facts, verdict := w.evaluate(event, pair, outcome, now)
	if verdict != nil && !verdict.Allowed() {
		next := set.NextAllowed(now, attempt, facts)
		recorded := w.reject(event, pair, outcome, *verdict, next, now)
		return Recorded{preflight: string(verdict.Status)}, rejection(*verdict, next, recorded.ID)
	}
	if verdict != nil {
		w.admit(&outcome, event, facts, *verdict, now)
	}
	w.linkAttempt(&outcome, event, pair, now)
	result := Recorded{
		EventID: outcome.EventID, Effect: outcome.Effect, Subject: outcome.Subject, IsReplay: outcome.IsReplay, status: event.Status,
		ProductName: pair.productName, Version: event.Version, EnvironmentName: pair.environmentName,
	}
	if verdict != nil {
		result.preflight = string(verdict.Status)
	}
	if outcome.Effect == Duplicate {
		if result.EventID == uuid.Nil {
			result.EventID = w.eventOf(outcome.Subject.ID, event.Status)
		}
		w.beat(event, outcome.Subject, now)
		if !outcome.IsReplay {
			w.rememberKey(event, earlierEvent{eventID: result.EventID, subjectID: outcome.Subject.ID, receivedAt: now, isNew: true})
		}
		return result, nil
	}
	w.put(outcome.Subject)
	for _, changed := range outcome.Changed {
		w.put(changed)
	}
	shared := w.pairs[pair.key]
	shared.Pair, shared.isDirty = outcome.Pair, shared.isDirty || !outcome.Pair.equal(shared.Pair)
	if version.createdAt.IsZero() {
		version.createdAt = now
	}
	version.Version, version.isDirty = outcome.Version, version.isDirty || !outcome.Version.equal(version.Version)
	w.remember(event, outcome, now)
	w.recorded[len(w.recorded)-1].notice = admissionNotice(verdict)
	w.complete(event, outcome)
	w.observe(event, outcome, now)
	return result, nil
}

// eventOf returns the event of the batch that gave a subject the status; nil: an earlier batch has recorded it.
func (w *workingSet) eventOf(subjectID uuid.UUID, status Status) uuid.UUID {
	for _, r := range w.recorded {
		if r.subjectID == subjectID && r.event.Status == status {
			return r.event.ID
		}
	}
	return uuid.Nil
}

func (w *workingSet) put(subject Subject) {
	state := &subjectState{Subject: subject, isDirty: true}
	if known, ok := w.subjects[subject.ID]; ok {
		state.storedMetadata = known.storedMetadata
	}
	w.subjects[subject.ID] = state
	w.indexRun(subject)
	w.follow(subject)
}

// remember puts an event into the log, and what recognises its repeats beside it.
func (w *workingSet) remember(event Event, outcome Outcome, now time.Time) {
	w.recorded = append(w.recorded, recordedEvent{event: event, effect: outcome.Effect, subjectID: outcome.Subject.ID, receivedAt: now})
	known := earlierEvent{eventID: event.ID, subjectID: outcome.Subject.ID, receivedAt: now, isNew: true}
	if event.Status.IsTerminal() {
		w.earlier[earlierKey{accountID: event.AccountID, fingerprint: event.Fingerprint}] = known
	}
	w.rememberKey(event, known)
}

// rememberKey stores the Idempotency-Key of an event, also of a repeat: the same request again is the same repeat, however
// late. The event that it repeats may be unknown here.
func (w *workingSet) rememberKey(event Event, known earlierEvent) {
	if event.IdempotencyKey == "" {
		return
	}
	known.requestHash = event.Fingerprint[:]
	w.earlier[earlierKey{accountID: event.AccountID, fingerprint: event.keyFingerprint()}] = known
}

func (p Pair) equal(other Pair) bool {
	return p.CurrentID == other.CurrentID && p.CurrentSince.Equal(other.CurrentSince) && p.LatestID == other.LatestID && slices.Equal(p.OpenIDs, other.OpenIDs)
}

func (v Version) equal(other Version) bool {
	if v.SHA != other.SHA || v.Branch != other.Branch || v.Repository != other.Repository ||
		!v.OccurredAt.Equal(other.OccurredAt) || !v.FirstCompletedAt.Equal(other.FirstCompletedAt) {
		return false
	}
	for _, kind := range []EnvironmentType{DevType, TestType, StagingType} {
		if !v.CompletedAt[kind].Equal(other.CompletedAt[kind]) {
			return false
		}
	}
	return true
}

// newID returns a time-ordered identifier (UUID version 7): those of one process are in the order of their creation.
func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }
