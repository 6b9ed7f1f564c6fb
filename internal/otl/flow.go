package otl

import "time"

// Flow is one visit of a browser to the hosted pages on behalf of a site, from what
// the site asked for to the way back. Its id stands in addresses and opens nothing
// without the cookie of the browser it belongs to.
type Flow struct {
	ID        string
	Browser   []byte // digest of the browser's cookie
	SiteID    string
	UserID    string // who proved himself for it by a link that another browser opened; "" for nobody
	Nonce     []byte // what a passkey signs that signs somebody in here without a name; good once
	Asked     Asked
	Progress  Progress
	CreatedAt time.Time
	ExpiresAt time.Time // half an hour after the latest step
}

// Asked is what a site asked for when it sent the browser here. It never changes.
type Asked struct {
	Client    string            `json:"client,omitempty"`    // id of the client that exchanges the code, "" for the site's key
	Redirect  string            `json:"redirect,omitempty"`  // registered, to the letter
	State     string            `json:"state,omitempty"`     // handed back
	Challenge string            `json:"challenge,omitempty"` // S256 (RFC 7636), "" for none
	Return    string            `json:"return,omitempty"`    // for the installation's own pages: the path to go on at
	Hint      string            `json:"hint,omitempty"`      // who the site thinks it is
	Locales   string            `json:"locales,omitempty"`   // languages, the preferred first
	MaxAge    int               `json:"max_age,omitempty"`   // seconds since the person proved himself at most; 0 for any, -1 for anew
	Consent   bool              `json:"consent,omitempty"`   // ask for consent whatever was granted
	Choose    bool              `json:"choose,omitempty"`    // ask as whom he goes on, though he is signed in
	Mode      string            `json:"mode,omitempty"`      // how the answer goes back; "" for a redirect
	Silent    bool              `json:"silent,omitempty"`    // no page may be shown
	Person    string            `json:"person,omitempty"`    // the one person it is about, as the client knows him; "" for anybody
	Subject   SubjectType       `json:"subject,omitempty"`   // by which ids the client knows people
	SetUp     bool              `json:"set_up,omitempty"`    // have him set a second factor up
	Factors   int               `json:"factors,omitempty"`   // how many factors the site asks for this time; 0 for its rule
	Wish      bool              `json:"wish,omitempty"`      // Factors is for people who have as many
	More      map[string]string `json:"more,omitempty"`      // what the wire that began it needs at the exchange
}

// Progress is how far a flow has come.
type Progress struct {
	Name   string    `json:"name,omitempty"`       // what the person called himself
	Masked bool      `json:"masked,omitempty"`     // Name is of somebody who was chosen, and pages show a hint of it
	Number string    `json:"number,omitempty"`     // what the page of a link asks for in another browser
	Others []string  `json:"others,omitempty"`     // wrong ones beside it
	SentAt time.Time `json:"sent_at,omitzero"`     // when the latest link and code were sent
	Sends  int       `json:"sends,omitempty"`      // how many were
	Missed int       `json:"missed,omitempty"`     // wrong codes since
	Texted bool      `json:"texted,omitempty"`     // the latest was a code by SMS
	Way    Method    `json:"way,omitempty"`        // how UserID proved himself
	New    bool      `json:"new,omitempty"`        // he is creating an account
	Hash   string    `json:"hash,omitempty"`       // of a new person's password, set at the first proof of his address
	Scheme string    `json:"scheme,omitempty"`     // of Hash
	Step   string    `json:"step,omitempty"`       // names the second step under way
	Agreed time.Time `json:"agreed,omitzero"`      // when he decided what the site may see, in this flow
	Chosen time.Time `json:"chosen,omitzero"`      // when he said as whom he goes on, in this flow
	SetUp  time.Time `json:"set_up,omitzero"`      // when he set a second factor up, in this flow
	Wants  bool      `json:"wants,omitempty"`      // he was offered to set one up, and wants to
	App    string    `json:"app,omitempty"`        // id of the authenticator app that he began to set up in it
	IP     string    `json:"ip,omitempty"`         // of the browser
	Agent  string    `json:"user_agent,omitempty"` // of the browser
}

// Call notes what the person calls himself. A name that is still the one he chose stays masked.
func (p *Progress) Call(name string) {
	if name != p.Name {
		p.Name, p.Masked = name, false
	}
}
