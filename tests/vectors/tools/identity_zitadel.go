//go:build ignore

// Makes the vectors of ZITADEL with its own code.
//
//	go mod init vectors && go get github.com/zitadel/zitadel-go/v3@3fc69fd4a760 && go run identity_zitadel.go > ../zitadel.json
//
// Everything is fixed: a second run changes nothing.
package main

import (
	"encoding/json"
	"os"
	"time"

	"github.com/zitadel/zitadel-go/v3/pkg/actions"
)

type vector struct {
	Name    string            `json:"name"`
	Origin  string            `json:"origin"`
	Source  string            `json:"source"`
	Secret  string            `json:"secret"`
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	Now     int64             `json:"now"`
	Expect  string            `json:"expect"`
	ID      *string           `json:"id"`
	Event   *string           `json:"event"`
}

const (
	secret = "nxTWc2FJ8dX5kZqY0mV3b7sR1aE4uH6p"
	signed = int64(1727000000)
	code   = "ComputeSignatureHeader of github.com/zitadel/zitadel-go, pkg/actions/signing.go (commit 3fc69fd4)"
	valid  = "Computed by " + code + ", whose ValidatePayloadWithTolerance accepts it; contents of the documented shape, ours."
	bad    = "Derived; refused by ValidatePayloadWithTolerance of github.com/zitadel/zitadel-go, pkg/actions/signing.go (commit 3fc69fd4)."
)

func made(name, body, header, event string) vector {
	return vector{
		name, "official-code", valid, secret, "POST", "https://hooks.example.com/zitadel",
		map[string]string{"Content-Type": "application/json", "ZITADEL-Signature": header},
		body, signed + 100, "valid", nil, &event,
	}
}

func derived(base vector, name, expect, source string, change func(*vector)) vector {
	base.Name, base.Expect, base.Source, base.Event = name, "invalid: "+expect, source, nil
	headers := map[string]string{}
	for key, value := range base.Headers {
		headers[key] = value
	}
	base.Headers = headers
	change(&base)
	return base
}

func main() {
	event := `{"aggregateID":"336392597046099971","aggregateType":"user","resourceOwner":"336392597046034435","instanceID":"336392597046034437","version":"v2","sequence":1,"event_type":"user.human.added","created_at":"2024-09-22T10:13:20.1Z","userID":"336392597046755331","event_payload":{"userName":"zoe","displayName":"Zoë Łoś ♥"}}`
	request := `{"fullMethod":"/zitadel.user.v2.UserService/AddHumanUser","instanceID":"336392597046034437","orgID":"336392597046034435","userID":"336392597046755331","request":{"profile":{"given_name":"Example"}}}`
	at := time.Unix(signed, 0)

	base := made("event with non-ASCII text", event, actions.ComputeSignatureHeader(at, []byte(event), secret), "user.human.added")
	vectors := []vector{
		base,
		made("request", request, actions.ComputeSignatureHeader(at, []byte(request), secret), "/zitadel.user.v2.UserService/AddHumanUser"),
		made("two keys, ours is the second", event, actions.ComputeSignatureHeader(at, []byte(event), "the new key", secret), "user.human.added"),
		derived(base, "body changed by one blank", "signature mismatch", bad, func(v *vector) { v.Body += " " }),
		derived(base, "another key", "signature mismatch", bad, func(v *vector) { v.Secret = "another key" }),
		derived(base, "no signature", "missing signature", bad, func(v *vector) { delete(v.Headers, "ZITADEL-Signature") }),
	}
	for _, v := range vectors {
		// Its clock cannot be set, so the tolerance is the age of the vectors and more.
		err := actions.ValidatePayloadWithTolerance([]byte(v.Body), v.Headers["ZITADEL-Signature"], v.Secret, 100*365*24*time.Hour)
		if (err == nil) != (v.Expect == "valid") {
			panic(v.Name)
		}
	}
	stale := "Derived: 301 s old, and the default tolerance of the code is 300 s; its clock could not be set, so it was not run."
	vectors = append(vectors, derived(base, "301 s old", "stale", stale, func(v *vector) { v.Now, v.Origin = signed+301, "computed" }))

	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	out.Encode(struct {
		Provider      string   `json:"provider"`
		Documentation []string `json:"documentation"`
		Vectors       []vector `json:"vectors"`
	}{"zitadel", []string{"https://zitadel.com/docs/guides/integrate/actions/testing-request-signature", "https://github.com/zitadel/zitadel-go"}, vectors})
}
