package factor

import "github.com/onetimelogin/otl/internal/otl"

// Foreign gives what a browser would have sent to both checks of a key.
func (k *Keys) Foreign(u otl.User, given []byte) (registration, assertion error) {
	_, ceremony, err := k.create(u, nil)
	if err != nil {
		return err, err
	}
	_, registration = k.created(u, ceremony, given)
	if _, _, alone := k.answered(make([]byte, 32), given, func(string) (otl.User, [][]byte, error) { return u, nil, nil }); alone == nil {
		return registration, nil
	}
	_, assertion = k.got(u, []byte(`{"id":"AAAA"}`), ceremony, given)
	return registration, assertion
}
