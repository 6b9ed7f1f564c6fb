package native

import (
	"net/http"

	"github.com/onetimelogin/otl/internal/otl"
)

const tagWebhooks = "Webhooks"

func (s webhooks) routes() {
	s.endpointRoutes()
	s.deliveryRoutes()
	listEvents := operation{
		id: "listEvents", method: http.MethodGet, path: "/events", tag: tagWebhooks,
		summary: "Read what the site was told of",
		text: "Events the site may see, oldest first, as they are or would be delivered: to reconcile after an outage, or instead of webhooks. " +
			"Keep the cursor of the last answer and go on from it; nothing is missed and nothing comes twice.",
		access: bySite, scope: otl.ScopeAdmin, success: http.StatusOK, answer: eventsOut{Data: []eventOut{sampleEvent()}, Cursor: "K7yv…"},
	}
	route(s.Surface, listEvents, s.events)
	listEvents.id, listEvents.path, listEvents.text = "listWebhookEvents", "/webhooks/events", "The same as GET /events."
	route(s.Surface, listEvents, s.events)
	route(s.Surface, operation{
		id: "getEvent", method: http.MethodGet, path: "/events/{id}", tag: tagWebhooks,
		summary: "Read one event", text: "As it is or would be delivered by now. One that the site may not see any more is a 404.",
		access: bySite, scope: otl.ScopeAdmin, success: http.StatusOK, errors: []int{404}, answer: sampleEvent(),
	}, s.event)
	route(s.Surface, operation{
		id: "triggerEvent", method: http.MethodPost, path: "/events/test", tag: tagWebhooks,
		summary: "Play an event", text: "Tells the site of an event that did not happen, with sample data and marked as a test: every endpoint that hears of such events gets it.",
		access: bySite, scope: otl.ScopeAdmin, success: http.StatusAccepted,
		request: map[string]any{"type": "user.updated", "set": map[string]any{"user.email": "me@example.com"}}, answer: testedOut{"evt_01HKZ5D2C4E6G8J1K3N5Q7S9TV"},
	}, s.trigger)
	route(s.Surface, operation{
		id: "replayEvent", method: http.MethodPost, path: "/webhooks/events/{id}/replay", tag: tagWebhooks,
		summary: "Send an event again",
		text:    "Has the event sent again, under the same id, to every endpoint of the site that hears of such events.",
		access:  bySite, scope: otl.ScopeAdmin, success: http.StatusAccepted, errors: []int{404}, answer: resentOut{1},
	}, s.replayEvent)
}

func (s webhooks) endpointRoutes() {
	sample := EndpointOut{
		ID: "01HKZ6E1B3D5F7H9J2L4N6P8QS", URL: "https://notes.example.com/hooks", Events: []string{"user.updated", "session.revoked"}, State: "on",
		VerifiedAt: ptr(sampleTime()), CreatedAt: sampleTime(), UpdatedAt: sampleTime(),
	}
	made := newEndpointShown{sample, text("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD…")}
	route(s.Surface, operation{
		id: "listWebhooks", method: http.MethodGet, path: "/webhooks", tag: tagWebhooks,
		summary: "List webhook endpoints", text: "The endpoints of the site, oldest first.",
		access: bySite, scope: otl.ScopeAdmin, success: http.StatusOK, answer: endpointsOut{Data: []EndpointOut{sample}},
	}, s.list)
	route(s.Surface, operation{
		id: "createWebhook", method: http.MethodPost, path: "/webhooks", tag: tagWebhooks,
		summary: "Register a webhook endpoint",
		text:    "Events of the site are posted there from now on, signed with the secret, which is shown this once.",
		access:  bySite, scope: otl.ScopeAdmin, success: http.StatusCreated, errors: []int{409},
		request: map[string]any{"url": "https://notes.example.com/hooks", "events": []string{"user.updated", "session.revoked"}}, answer: made,
	}, s.create)
	route(s.Surface, operation{
		id: "getWebhook", method: http.MethodGet, path: "/webhooks/{id}", tag: tagWebhooks,
		summary: "Read a webhook endpoint", text: "One endpoint of the site, without its secret.",
		access: bySite, scope: otl.ScopeAdmin, success: http.StatusOK, errors: []int{404}, answer: sample,
	}, s.get)
	route(s.Surface, operation{
		id: "updateWebhook", method: http.MethodPatch, path: "/webhooks/{id}", tag: tagWebhooks,
		summary: "Change a webhook endpoint",
		text:    "Sets the members given. One that is turned on gets what waited for it.",
		access:  bySite, scope: otl.ScopeAdmin, success: http.StatusOK, errors: []int{404, 409}, request: map[string]any{"state": "paused"}, answer: sample,
	}, s.update)
	route(s.Surface, operation{
		id: "deleteWebhook", method: http.MethodDelete, path: "/webhooks/{id}", tag: tagWebhooks,
		summary: "Delete a webhook endpoint", text: "Nothing more is sent there, and what was to be sent is forgotten. The events stay.",
		access: bySite, scope: otl.ScopeAdmin, success: http.StatusOK, errors: []int{404}, answer: deletedOut{true},
	}, s.remove)
	route(s.Surface, operation{
		id: "rotateWebhookSecret", method: http.MethodPost, path: "/webhooks/{id}/rotate-secret", tag: tagWebhooks,
		summary: "Replace the secret of a webhook endpoint",
		text: "Gives a new secret, shown this once. For the overlap both sign: X-OTL-Signature-V2 and webhook-signature carry a signature of each, " +
			"X-OTL-Signature, which has room for one, that of the older.",
		access: bySite, scope: otl.ScopeAdmin, success: http.StatusCreated, errors: []int{404, 409}, optionalBody: true,
		request: map[string]any{"overlap_seconds": 86400}, answer: made,
	}, s.rotate)
	route(s.Surface, operation{
		id: "verifyWebhook", method: http.MethodPost, path: "/webhooks/{id}/verify", tag: tagWebhooks,
		summary: "Verify a webhook endpoint",
		text: "Posts webhook.challenge to the endpoint, signed, which must answer 2xx with data.challenge within ten seconds: as the body, or as the member challenge of a JSON object. " +
			"Until then it gets ids and nothing personal. A new endpoint, or one with a new URL, is asked once by itself.",
		access: bySite, scope: otl.ScopeAdmin, success: http.StatusOK, errors: []int{404, 409}, answer: sample,
	}, s.verify)
	route(s.Surface, operation{
		id: "testWebhook", method: http.MethodPost, path: "/webhooks/{id}/test", tag: tagWebhooks,
		summary: "Send a test event",
		text:    "Has an event sent to this endpoint alone: webhook.test, or one that plays the type named, with sample data and test: true.",
		access:  bySite, scope: otl.ScopeAdmin, success: http.StatusAccepted, errors: []int{404, 409}, optionalBody: true,
		request: map[string]any{"type": "user.updated"}, answer: testedOut{sampleEvent().ID},
	}, s.test)
}

func (s webhooks) deliveryRoutes() {
	status := 200
	sample := DeliveryOut{EventID: sampleEvent().ID, Type: "user.updated", State: "delivered", Attempts: 1, Status: &status, CreatedAt: sampleEvent().CreatedAt, SettledAt: ptr(sampleEvent().CreatedAt)}
	event := sampleEvent()
	route(s.Surface, operation{
		id: "listDeliveries", method: http.MethodGet, path: "/webhooks/{id}/deliveries", tag: tagWebhooks,
		summary: "List deliveries", text: "What became of events at an endpoint, newest first, for 30 days. A page of few or none may still have a next_cursor, for as long as there is more to look at.",
		access: bySite, scope: otl.ScopeAdmin, success: http.StatusOK, errors: []int{404}, answer: deliveriesOut{Data: []DeliveryOut{sample}},
	}, s.deliveries)
	route(s.Surface, operation{
		id: "getDelivery", method: http.MethodGet, path: "/webhooks/{id}/deliveries/{event_id}", tag: tagWebhooks,
		summary: "Read a delivery", text: "One delivery with every attempt: the heads of request and answer, and of its body the first 16 KiB, or the first KiB where it succeeded.",
		access: bySite, scope: otl.ScopeAdmin, success: http.StatusOK, errors: []int{404},
		answer: deliveryDetailOut{DeliveryOut: sample, Payload: &event, Tries: []attemptOut{{
			Number: 1, StartedAt: event.CreatedAt, Took: 12, Status: &status, Body: "ok",
			Request: headers{"webhook-id": {event.ID}}, Response: headers{"content-type": {"text/plain"}},
		}}},
	}, s.delivery)
	route(s.Surface, operation{
		id: "resendDelivery", method: http.MethodPost, path: "/webhooks/{id}/deliveries/{event_id}/resend", tag: tagWebhooks,
		summary: "Send an event to an endpoint again", text: "Whatever became of it before, it is sent again under the same id, with all its tries.",
		access: bySite, scope: otl.ScopeAdmin, success: http.StatusAccepted, errors: []int{404, 409}, answer: resentOut{1},
	}, s.resend)
	route(s.Surface, operation{
		id: "replayWebhook", method: http.MethodPost, path: "/webhooks/{id}/replay", tag: tagWebhooks,
		summary: "Send many events to an endpoint again",
		text:    "Sends again what was given up since a moment, or every event of a span of time the endpoint hears of. With dry_run=true it only counts them.",
		access:  bySite, scope: otl.ScopeAdmin, success: http.StatusAccepted, errors: []int{404, 409},
		request: map[string]any{"since": "2026-01-02T03:04:05Z"}, answer: resentOut{42},
	}, s.replay)
}

func sampleEvent() eventOut {
	return eventOut{
		ID: "evt_01HKZ5D2C4E6G8J1K3N5Q7S9TV", Type: "user.updated", CreatedAt: sampleTime(), SiteID: sampleSite,
		Sequence: 17, UserSeq: ptr(int64(3)),
		Data:       map[string]any{"user": map[string]any{"id": sampleUser, "name": "Jane Roe"}, "changed": []string{"name"}, "version": 4},
		Deliveries: []eventDelivery{},
	}
}
