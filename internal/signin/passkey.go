package signin

import (
	"context"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Invite gives options for navigator.credentials.get, as JSON, with which a passkey
// signs somebody in at a visit without his saying who he is; "" where there are no
// passkeys. What it signs is the visit's, which belongs to one browser (MF-10).
func (s Arrivals) Invite(v Visit) (string, error) { return s.Second.Factors.Invite(v.Nonce) }

// Passkey lets somebody in by what his browser made of an invitation. What it signed
// is used up, whatever comes of it. The error is factor.ErrProof whatever is wrong, or
// limit.Exceeded beyond the rate of sign-ins.
func (s Arrivals) Passkey(ctx context.Context, v Visit, proof secret.Text) (Arrival, error) {
	if err := s.Limits.Take(ctx, limit.Use{Rate: limit.LoginPerAddress, By: []string{s.FirstParty, limit.Network(otl.RequestOf(ctx).Client)}}); err != nil {
		return Arrival{}, s.Second.Failures.note(ctx, failure{site: s.FirstParty, method: otl.MethodKey}, err)
	}
	var p Proved
	var refused error
	next := secret.Bytes(nonceSize)
	err := s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		p = Proved{}
		first, err := tx.Flows.Renew(ctx, v.ID, v.Nonce, next)
		if err == nil && !first {
			err = factor.ErrProof
		}
		if err == nil {
			p.User, p.Methods, err = s.Second.Factors.Recognise(ctx, tx, s.FirstParty, v.Nonce, proof)
		}
		refused, err = factor.Refused(err)
		return err
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return Arrival{}, s.Second.Failures.note(ctx, failure{site: s.FirstParty, user: p.User.ID, method: otl.MethodKey}, err)
	}
	return s.arrived(ctx, v, p)
}

// FromDevice notes the token of a trusted device that came with a request.
func FromDevice(ctx context.Context, token secret.Text) {
	otl.RequestOf(ctx).Device = factor.DeviceDigest(token)
}
