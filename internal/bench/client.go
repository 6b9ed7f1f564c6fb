package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"time"
)

// client is one connection that is kept. It does as little as a client can, so
// that a machine shared with the server measures the server: net/http's client
// costs more than the handlers it would call.
type client struct {
	address string
	host    string
	conn    net.Conn
	r       *bufio.Reader
	body    []byte // of the latest answer; good until the next call
}

// callTime is how long one call may take.
const callTime = 30 * time.Second

// maxAnswer is the longest body that is read.
const maxAnswer = 16 << 20

func newClient(base string) (*client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" || u.Port() == "" {
		return nil, fmt.Errorf("%q is no address such as http://127.0.0.1:8787", base)
	}
	return &client{address: u.Host, host: u.Host}, nil
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// request builds the bytes of a request once, to be sent many times.
func (c *client) request(method, path, header string, body []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n%s", method, path, c.host, header)
	if body != nil {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}

// do sends a request and reads the answer; its body is in c.body.
func (c *client) do(raw []byte) (status int, err error) {
	if c.conn == nil {
		if c.conn, err = net.DialTimeout("tcp", c.address, callTime); err != nil {
			c.conn = nil
			return 0, err
		}
		c.r = bufio.NewReaderSize(c.conn, 8<<10)
	}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if err := c.conn.SetDeadline(time.Now().Add(callTime)); err != nil {
		return 0, err
	}
	if _, err := c.conn.Write(raw); err != nil {
		return 0, err
	}
	return c.read()
}

// read takes one answer off the connection: one with a Content-Length or in chunks
// (RFC 9112 section 6); the server sends no other to requests this small.
func (c *client) read() (status int, err error) {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, errors.New("bad status line")
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, err
	}
	length, closing, chunked := -1, false, false
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 || length > maxAnswer {
				return 0, errors.New("bad Content-Length")
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		case bytes.EqualFold(name, []byte("Connection")):
			closing = bytes.EqualFold(value, []byte("close"))
		}
	}
	if chunked {
		err = c.chunks()
	} else {
		err = c.fill(length)
	}
	if err != nil {
		return 0, err
	}
	if closing {
		c.close()
	}
	return status, nil
}

// fill reads a body of a known length.
func (c *client) fill(length int) error {
	if length < 0 {
		return errors.New("answer without Content-Length")
	}
	if cap(c.body) < length {
		c.body = make([]byte, length)
	}
	c.body = c.body[:length]
	_, err := io.ReadFull(c.r, c.body)
	return err
}

// chunks reads a body that comes in chunks, and the empty line after them.
func (c *client) chunks() (err error) {
	if c.body, err = io.ReadAll(io.LimitReader(httputil.NewChunkedReader(c.r), maxAnswer)); err != nil {
		return err
	}
	end, err := c.r.ReadSlice('\n')
	if err == nil && len(bytes.TrimSpace(end)) > 0 {
		err = errors.New("trailers")
	}
	return err
}

// text gives a string member of the latest answer without reading all of it.
func (c *client) text(member string) string {
	_, after, ok := bytes.Cut(c.body, []byte(`"`+member+`":"`))
	if !ok {
		return ""
	}
	value, _, _ := bytes.Cut(after, []byte(`"`))
	return string(value)
}

// get fetches a document by the ordinary client.
func get(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", address, res.Status)
	}
	return io.ReadAll(io.LimitReader(res.Body, maxAnswer))
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps of strings
	}
	return b
}
